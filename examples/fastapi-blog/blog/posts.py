"""The posts: read by all, written by those who signed in."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from blog.dependencies import Admin, Database, SignedIn, SignedInOrNot
from blog.models import Account, Post
from blog.pages import page, see_other
from pgauthkit.repositories import AsyncRepository, AsyncUserRepository

__all__ = ["router"]

router = APIRouter()


@router.get("/")
async def show(request: Request, db: Database, identity: SignedInOrNot, after: str | None = None) -> Response:
    """Show what is published, the newest first, five on a page."""
    found = await AsyncRepository(db, Post).page(
        Post.published, order_by=[Post.created_at.desc()], size=5, after=after, include=["author"]
    )
    return page(request, "posts", identity=identity, posts=found.items, following=found.has_next and found.end_cursor)


@router.post("/posts")
async def write(
    db: Database, identity: SignedIn, title: Annotated[str, Form()], content: Annotated[str, Form()]
) -> Response:
    """Publish a post."""
    await AsyncRepository(db, Post).create(title=title, content=content, published=True, author_id=identity.user_id)
    return see_other("/")


@router.post("/name")
async def rename(db: Database, identity: SignedIn, name: Annotated[str, Form(max_length=80)]) -> Response:
    """Be called by a name instead of the address."""
    await AsyncUserRepository(db, Account).update({"id": identity.user_id}, display_name=name.strip() or None)
    return see_other("/")


@router.get("/admin")
async def administer(request: Request, db: Database, identity: Admin) -> Response:
    """Show who writes, with their posts, in two statements."""
    users = AsyncUserRepository(db, Account)
    authors = await users.find_many(order_by=[Account.email], include=["posts"], take=100)
    return page(request, "admin", identity=identity, authors=authors)
