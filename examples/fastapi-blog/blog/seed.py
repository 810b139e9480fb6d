"""What a fresh database gets: `pgauthkit seed`."""

from sqlalchemy.orm import Session

from blog.models import Post
from pgauthkit.models import UserRole
from pgauthkit.repositories import Repository
from pgauthkit.seeding import ensure_user

__all__ = ["main"]


def main(db: Session) -> None:
    """Make the administrator and the first post; running it again changes nothing."""
    admin = ensure_user(db, "admin@example.com", role=UserRole.ADMIN)
    posts = Repository(db, Post)
    if not posts.exists(Post.author_id == admin.id):
        posts.create(title="Hello World", content="My first post", published=True, author_id=admin.id)
