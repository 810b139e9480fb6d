"""The posts: read by all, written by those who signed in."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from blog.dependencies import Admin, Database, SignedIn, SignedInOrNot
from blog.models import Post
from blog.pages import page, see_other
from pgauthkit.models import User
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


@router.get("/admin")
async def administer(request: Request, db: Database, identity: Admin) -> Response:
    """Show who writes, with their posts, in two statements."""
    authors = await AsyncUserRepository(db).find_many(order_by=[User.email], include=["posts"], take=100)
    return page(request, "admin", identity=identity, authors=authors)
