"""Reading, writing, and the administrator's page."""

from collections.abc import Callable

from blog.seed import main
from sqlalchemy import Engine, orm
from starlette.testclient import TestClient

Browser = Callable[[], TestClient]
SignIn = Callable[[TestClient, str], None]


def test_only_who_signed_in_writes(browser: Browser, sign_in: SignIn) -> None:
    """A stranger is asked to sign in; an author's post is there for everybody."""
    author, reader = browser(), browser()
    post = {"title": "Hello World", "content": "My first post"}
    assert reader.post("/posts", data=post).url.path == "/sign-in"
    sign_in(author, "ada@example.com")
    author.post("/posts", data=post)
    assert "My first post" in reader.get("/").text


def test_a_name(browser: Browser, sign_in: SignIn) -> None:
    """Who has given a name is shown by it, and by the address until then."""
    author = browser()
    assert author.post("/name", data={"name": "Ada"}).url.path == "/sign-in"
    sign_in(author, "ada@example.com")
    author.post("/posts", data={"title": "Hello World", "content": "My first post"})
    assert "ada@example.com," in author.get("/").text
    assert "Ada," in author.post("/name", data={"name": " Ada "}).text


def test_older_posts(browser: Browser, sign_in: SignIn) -> None:
    """Six posts stand on two pages, each once."""
    client = browser()
    sign_in(client, "ada@example.com")
    for number in range(6):
        client.post("/posts", data={"title": f"Post {number}", "content": "…"})
    first = client.get("/").text
    path = first.partition('href="/?after=')[2].partition('"')[0]
    second = client.get(f"/?after={path}").text
    assert [f"Post {number}" in first for number in range(6)] == [False] + [True] * 5
    assert [f"Post {number}" in second for number in range(6)] == [True] + [False] * 5


def test_the_administrator_s_page(browser: Browser, sign_in: SignIn, pgauthkit_engine: Engine) -> None:
    """The seed may run twice; its administrator sees the authors, and nobody else does."""
    for _ in range(2):
        with orm.Session(pgauthkit_engine) as db, db.begin():
            main(db)
    admin, author = browser(), browser()
    sign_in(author, "ada@example.com")
    sign_in(admin, "admin@example.com")
    assert author.get("/admin").status_code == 403
    assert "ada@example.com" in admin.get("/admin").text
    assert "Hello World" in author.get("/").text
