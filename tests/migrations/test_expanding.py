"""A new schema while the release before still runs: it signs people in, and nothing that it reads has gone."""

import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import HealthCheck, given, settings
from psycopg.errors import CheckViolation

from pgauthkit.email_address import canonical_email
from pgauthkit.errors import MigrationError
from pgauthkit.ops.migrate import deploy
from pgauthkit.ops.revisions.bundled import alembic_config
from pgauthkit.testing.strategies import emails

# What the release with this revision as its last sends, as text: its code may run while later ones are there.
FOLDERS: Final = {name: Path(__file__).parent / f"of_{name}" for name in ("0001", "0002")}
# Columns of an application's own, as its class of users has them.
THEIRS: Final = b"ALTER TABLE pgauthkit.users ADD phone text UNIQUE, ADD locale text NOT NULL DEFAULT 'en'"
DURATIONS: Final = {
    "magic_link_ttl": timedelta(minutes=10),
    "access_ttl": timedelta(minutes=15),
    "session_idle_ttl": timedelta(days=14),
    "session_ttl": timedelta(days=30),
    "refresh_grace": timedelta(seconds=30),
    "touch_interval": timedelta(),
}
GIVEN: Final = {"clock": None, "ip": None, "user_agent": None, "redirect_to": None, "binding_hash": None}
FLAGS: Final = {"allow_sign_up": True, "require_binding": False, "code_hash": None}

INSERTS: Final = {
    "users": b"INSERT INTO pgauthkit.users (id, email) VALUES ('c1', %s)",
    "magic_links": b"INSERT INTO pgauthkit.magic_links (id, email, token_hash, expires_at)"
    b" VALUES ('c1', %s, 'hash', now())",
}


@pytest.fixture
def connection(pgauthkit_url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(pgauthkit_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def engine(pgauthkit_empty_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(pgauthkit_empty_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE SCHEMA pgauthkit"))
        connection.commit()
        command.upgrade(alembic_config(connection), "0001")
    yield engine
    engine.dispose()


class TestReleaseBefore:
    @pytest.mark.parametrize("columns", [b"SELECT", THEIRS], ids=["ours", "and an application's"])
    @pytest.mark.parametrize("release", FOLDERS)
    def test_signs_in(self, connection: psycopg.Connection[tuple[Any, ...]], release: str, columns: bytes) -> None:
        """The statements of a release before ask for a link, use it, authenticate, touch, refresh and sign out."""
        connection.execute(columns)
        link, access, refresh, selector, next_access, next_refresh = (secrets.token_bytes(32) for _ in range(6))
        # Since 0002, durations go out as seconds.
        durations = {name: span if release == "0001" else span.total_seconds() for name, span in DURATIONS.items()}

        def ask(name: str, **parameters: object) -> tuple[Any, ...]:
            sql = (FOLDERS[release] / f"{name}.sql").read_bytes()
            row = connection.execute(sql, {**GIVEN, **FLAGS, **durations, **parameters}).fetchone()
            assert row is not None
            return row

        ask("request_magic_link", link_id="c1", token_hash=link, email="ada@example.com")
        hashes = {"selector_hash": selector, "access_token_hash": access, "refresh_token_hash": refresh}
        verified = ask("verify_magic_link", token_hash=link, user_id="c2", session_id="c3", **hashes)
        authenticated = ask("authenticate", selector_hash=selector, access_token_hash=access)
        touched = ask("touch", session_id="c3", access_token_hash=access)
        following = {"next_access_token_hash": next_access, "next_refresh_token_hash": next_refresh, "generation": 0}
        refreshed = ask(
            "refresh", selector_hash=selector, refresh_token_hash=refresh, rotation_nonce=b"nonce", **following
        )
        signed_out = ask("sign_out", selector_hash=selector, access_token_hash=next_access)
        kind = connection.execute("SELECT pgauthkit_kind FROM pgauthkit.users").fetchall()

        assert (verified[0], authenticated[0], refreshed[0]) == ("ok", "ok", "rotated")
        assert [touched[0], signed_out[0], kind] == ["c3", {"0001": "c3", "0002": True}[release], [("user",)]]


class TestAddresses:
    def test_rows_in_another_spelling(self, engine: sa.Engine) -> None:
        """Rows with another spelling are named by their ids, without an address, and nothing is changed."""
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO pgauthkit.users (id, email) SELECT 'c' || n, 'Ada' || n || '@Example.com'"
                    " FROM generate_series(1, 7) AS n UNION ALL SELECT 'plain', 'ada@example.com'"
                )
            )

        with pytest.raises(MigrationError) as caught:
            deploy(engine)

        assert "Ada" not in str(caught.value)
        assert "pgauthkit.users with an address that is not in its canonical form: 7, among" in str(caught.value)
        assert "ids c1, c2, c3, c4, c5. Nothing was changed" in str(caught.value)
        assert not sa.inspect(engine).has_table("devices", "pgauthkit")

    def test_link_in_another_spelling(self, engine: sa.Engine) -> None:
        """A link's address counts as well; with the rows corrected, the deployment goes on."""
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO pgauthkit.magic_links (id, token_hash, email, expires_at)"
                    " VALUES ('c1', 'hash', 'Ada@Example.com', now())"
                )
            )
        with pytest.raises(MigrationError, match=r"magic_links with .*: 1, among them those with the ids c1\."):
            deploy(engine)

        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE pgauthkit.magic_links SET email = 'ada@example.com'"))
        assert deploy(engine).applied[0] == "0002"

    @pytest.mark.parametrize(
        "address",
        [
            *("Ada@example.com", "ada@Example.com", " ada@example.com", "ada@example.com ", "ada@example.com\n"),
            *("ada", "@example.com", "ada@", "ada@example", "a@b@example.com", "ada@-example.com", "ada@example..com"),
            *("ada..l@example.com", ".ada@example.com", "adä@example.com", "ada@bücher.example", '"ada"@example.com'),
            *("ada,bob@example.com", "ada@example.com,bob@example.com", f"{'a' * 65}@example.com"),
            f"ada@{'a.' * 124}com",
        ],
    )
    @pytest.mark.parametrize("table", ["users", "magic_links"])
    def test_refused(self, connection: psycopg.Connection[tuple[Any, ...]], table: str, address: str) -> None:
        """Nobody brings an address into the tables that is not in the canonical form, as far as SQL can tell."""
        with pytest.raises(CheckViolation) as caught:
            connection.execute(INSERTS[table], [address])
        assert caught.value.diag.constraint_name == f"ck_{table}_email"

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    @given(address=emails())
    def test_accepted(self, connection: psycopg.Connection[tuple[Any, ...]], address: str) -> None:
        """Every canonical address is accepted."""
        connection.execute(
            "INSERT INTO pgauthkit.users (id, email) VALUES (gen_random_uuid()::text, %s) ON CONFLICT DO NOTHING",
            [canonical_email(address)],
        )

    @pytest.mark.parametrize(
        "address",
        [
            *("!#$%&'*+-/=?^_`{|}~.09az@example.com", "ada@localhost", "ada@a.test", "ada@xn--bcher-kva.example"),
            *(f"{'a' * 64}@example.com", f"ada@{'a.' * 123}com", "a@1.2"),
        ],
    )
    def test_accepted_at_the_edges(self, connection: psycopg.Connection[tuple[Any, ...]], address: str) -> None:
        """Canonical addresses with every character that there is, and as long as may be, are accepted."""
        assert canonical_email(address) == address
        connection.execute(INSERTS["users"], [address])


def test_downgrade_keeps_no_other_purpose(pgauthkit_url: str) -> None:
    """Undone, the links that are not for signing in are gone: the release before would sign people in with them."""
    engine = sa.create_engine(pgauthkit_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO pgauthkit.magic_links (id, token_hash, email, expires_at, purpose) SELECT purpose,"
                " purpose::bytea, 'ada@example.com', now(), purpose"
                " FROM unnest('{sign_in,invite,email_change}'::text[]) AS purpose"
            )
        )
        connection.commit()
        command.downgrade(alembic_config(connection), "0001")
        assert connection.scalars(sa.text("SELECT id FROM pgauthkit.magic_links")).all() == ["sign_in"]
