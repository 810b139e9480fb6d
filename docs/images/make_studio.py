"""Takes `studio-*.png`, beside this file, with Debian's Chromium. `python docs/images/make_studio.py`."""  # noqa: INP001 - a script

from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Final

import psycopg
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import Engine, ForeignKey, orm, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.models import CuidPrimaryKey, Timestamps, User
from pgauthkit.ops.migrate.deployment import deploy
from pgauthkit.ops.project.mapped import OURS
from pgauthkit.studio import Studio
from pgauthkit.testing import Clock

HERE: Final = Path(__file__).parent
ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PEOPLE: Final = (
    "ada",
    "grace",
    "katherine",
    "margaret",
    "barbara",
    "hedy",
    "radia",
    "frances",
    "jean",
    "adele",
    "lynn",
)


class Base(DeclarativeBase):
    """A blog's own base."""


class Tag(Base):
    """What a post is about."""

    __tablename__ = "tags"

    name: Mapped[str] = mapped_column(primary_key=True)


class PostTag(Base):
    """Links a post and a tag."""

    __tablename__ = "post_tags"

    post_id: Mapped[str] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    tag_name: Mapped[str] = mapped_column(ForeignKey(Tag.name), primary_key=True)

    post: Mapped["Post"] = relationship(back_populates="tags")
    tag: Mapped[Tag] = relationship()


class Post(CuidPrimaryKey, Timestamps, Base):
    """A blog's post."""

    __tablename__ = "posts"

    title: Mapped[str]
    subtitle: Mapped[str | None]
    content: Mapped[str]
    published: Mapped[bool] = mapped_column(default=False)
    author_id: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))

    author: Mapped[User] = relationship(back_populates="posts")
    tags: Mapped[list[PostTag]] = relationship(back_populates="post")


User.posts = relationship(Post, back_populates="author", lazy="raise", passive_deletes="all")


def fill(engine: Engine) -> None:
    """Let people sign in, and write."""
    Base.metadata.create_all(engine, tables=[Base.metadata.tables[name] for name in ("posts", "tags", "post_tags")])
    clock = Clock()
    auth = AuthService(engine, AuthConfig(clock=clock))
    for number, name in enumerate(PEOPLE):
        clock.move(timedelta(minutes=7))
        address = f"203.0.113.{number + 1}"
        link = auth.request_magic_link(f"{name}@example.com", redirect_to="/inbox", ip=address)
        auth.verify_magic_link(link.token.reveal(), ip=address, user_agent="Firefox on Linux")
    with orm.Session(engine) as db, db.begin():
        ada = db.scalars(select(User).where(User.email == "ada@example.com")).one()
        notes = Post(title="Notes on the engine", content="It weaves algebraical patterns.", published=True, author=ada)
        db.add_all(PostTag(post=notes, tag=Tag(name=name)) for name in ("engines", "mathematics"))
        db.add(Post(title="On Bernoulli's numbers", content="Note G.", author=ada))


def take(page: Page, address: str) -> None:
    """Take the pictures of the tables."""
    page.goto(address)
    page.screenshot(path=HERE / "studio-home.png")
    page.get_by_role("link", name="User").first.click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=HERE / "studio-list.png")
    page.get_by_placeholder("Search").fill("ada")
    page.get_by_placeholder("Search").press("Enter")
    page.locator("td[data-column=email]", has_text="ada@example.com").last.click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=HERE / "studio-row.png")


def take_form(page: Page, address: str) -> None:
    """Take the pictures of a form, of what a delete takes with it, and of a list on a phone."""
    page.goto(address)
    page.get_by_role("link", name="Post").first.click()
    page.locator("tr", has_text="Bernoulli").locator("[data-sa-name=edit]").click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=HERE / "studio-edit.png")
    page.get_by_role("link", name="User").first.click()
    page.locator("tr", has_text="ada@example.com").locator("[data-sa-name=delete]").click()
    page.get_by_text("This is what it changes").wait_for()
    page.wait_for_timeout(500)
    page.screenshot(path=HERE / "studio-delete.png")
    page.set_viewport_size({"width": 390, "height": 720})
    page.goto(f"{page.url.split('/list')[0]}/list")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=HERE / "studio-390.png")


def main() -> None:
    """Serve the studio on a database of its own, once to read and once to write, and look at it."""
    with EmbeddedPostgres() as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE blog")
        deploy(server.url("blog"))
        engine = create_engine(server.url("blog"))
        fill(engine)
        for write, look in ((False, take), (True, take_form)):
            studio = Studio(engine, [*OURS, Post, Tag, PostTag], port=0, write=write)
            thread = Thread(target=studio.serve)
            thread.start()
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
                look(chromium.new_page(viewport={"width": 1280, "height": 720}), studio.url)
                chromium.close()
            studio.stop()
            thread.join()
        engine.dispose()


if __name__ == "__main__":
    main()
