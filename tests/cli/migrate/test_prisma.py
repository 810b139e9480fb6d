"""`pgauthkit migrate adopt-prisma`: what it did, or would do, told to people and to programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from tests.cli.conftest import Blog

PRISMA = """
    CREATE TABLE "User" (id text PRIMARY KEY, email text NOT NULL, role text NOT NULL DEFAULT 'USER',
        "isActive" boolean NOT NULL DEFAULT true, "lastLoginAt" timestamp(3),
        "createdAt" timestamp(3) NOT NULL DEFAULT now(), "updatedAt" timestamp(3) NOT NULL DEFAULT now());
    INSERT INTO "User" (id, email) VALUES ('c1', 'ada@example.com');
"""
BY_NUMBER = """
    CREATE TABLE people (id int PRIMARY KEY, email text, since date);
    CREATE TABLE posts (id int PRIMARY KEY, author int CONSTRAINT by REFERENCES people ON DELETE CASCADE);
    INSERT INTO people VALUES (1, 'ada@example.com'), (2, 'nobody');
"""


def run(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


class TestAdoptPrisma:
    def test_all(self, blog: Blog) -> None:
        """All taken is exit code 0, with the progress on standard error."""
        run(blog.url, PRISMA)

        result = blog.migrate("adopt-prisma")

        assert (result.exit_code, result.stdout) == (0, "Taken: 1 of 1 users; 0 were there before.\n")
        assert result.stderr == "… 1 users\n"

    def test_not_all(self, blog: Blog) -> None:
        """Each who was not taken is told with the reason; exit code 1."""
        run(blog.url, PRISMA)
        run(blog.url, "INSERT INTO \"User\" (id, email) VALUES ('c2', 'ADA@example.com'), ('c3', 'nobody')")

        result, as_json = blog.migrate("adopt-prisma"), blog.migrate("adopt-prisma", "--json")

        assert (result.exit_code, as_json.exit_code) == (1, 1)
        assert "not taken: c2, because ada@example.com is c1's address\n" in result.stdout
        assert "not taken: c3. The e-mail address is not accepted" in result.stdout
        assert json.loads(as_json.stdout)["present"] == 1

    def test_dry_run(self, blog: Blog) -> None:
        """A dry run says what each column gets, how many users would be taken, and how keys follow; it does nothing."""
        run(blog.url, BY_NUMBER)
        arguments = ("adopt-prisma", "--table", "people", "--column", "role=", "--dry-run")

        result, as_json = blog.migrate(*arguments), blog.migrate(*arguments, "--json")

        assert (result.exit_code, as_json.exit_code) == (1, 1)
        assert result.stdout.startswith("From public.people:\n  id: id (INTEGER) as text\n  email: email\n  role: USER")
        assert "Would take: 1 of 2 users; 0 are there. Nothing was done.\n" in result.stdout
        assert "  ALTER TABLE public.posts ALTER COLUMN author TYPE text USING author::text;\n" in result.stdout
        assert "REFERENCES pgauthkit.users (id) ON DELETE CASCADE NOT VALID;\n" in result.stdout
        assert json.loads(as_json.stdout)["outcome"]["taken"] == 1
        assert blog.migrate("adopt-prisma", "--table", "people").stdout.endswith(
            "Taken: 1 of 2 users; 0 were there before.\n"
        )

    def test_nothing_leads_to_it(self, blog: Blog) -> None:
        """Where no key leads to the table there is nothing to move."""
        run(blog.url, PRISMA)

        result = blog.migrate("adopt-prisma", "--dry-run")

        assert result.exit_code == 0
        assert result.stdout.endswith("Would take: 1 of 1 users; 0 are there. Nothing was done.\n")

    def test_mistyped(self, blog: Blog) -> None:
        """A column that is not a pair is wrong use."""
        result = blog.migrate("adopt-prisma", "--column", "created_at")

        assert result.exit_code == 2
        assert "A column is written OURS=THEIRS, such as created_at=joined, not created_at." in result.stderr
