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

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine
from pgauthkit.email_address import canonical_email
from pgauthkit.errors import MigrationError
from pgauthkit.hashing import Hasher
from pgauthkit.ops.migrate import deploy
from pgauthkit.ops.revisions.bundled import alembic_config
from pgauthkit.service.pairs import FirstPair, Pair
from pgauthkit.testing.strategies import emails
from pgauthkit.tokens import Kind, SessionToken

# What the release with this revision as its last sends, as text: its code may run while later ones are there.
FOLDERS: Final = {name: Path(__file__).parent / f"of_{name}" for name in ("0001", "0002", "0003")}
# Columns of an application's own, as its class of users has them.
THEIRS: Final = b"ALTER TABLE pgauthkit.users ADD phone text UNIQUE, ADD locale text NOT NULL DEFAULT 'en'"
DURATIONS: Final = {
    "magic_link_ttl": timedelta(minutes=10),
    "access_ttl": timedelta(minutes=15),
    "session_idle_ttl": timedelta(days=14),
    "session_ttl": timedelta(days=30),
    "refresh_grace": timedelta(seconds=30),
    "touch_interval": timedelta(),
    "device_ttl": timedelta(days=365),
}
SPANS: Final = {name: span.total_seconds() for name, span in DURATIONS.items()}
GIVEN: Final = dict.fromkeys(
    (
        *("clock", "ip", "user_agent", "redirect_to", "code_hash", "binding_hash", "handoff_hash", "match_hash"),
        *("device_hash", "kept_device_hash", "session_nonce"),
    )
)
FLAGS: Final = {"allow_sign_up": True, "require_binding": False}

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
        durations = DURATIONS if release == "0001" else SPANS

        def ask(name: str, **parameters: object) -> tuple[Any, ...]:
            sql = (FOLDERS[release] / f"{name}.sql").read_bytes()
            row = connection.execute(sql, {**GIVEN, **FLAGS, **durations, **parameters}).fetchone()
            assert row is not None
            return row

        ask("request_magic_link", link_id="c1", token_hash=link, email="ada@example.com")
        device = {"new_device_id": "c4", "new_device_hash": b"device"}
        hashes = {"selector_hash": selector, "access_token_hash": access, "refresh_token_hash": refresh}
        verified = ask("verify_magic_link", token_hash=link, user_id="c2", session_id="c3", **device, **hashes)
        authenticated = ask("authenticate", selector_hash=selector, access_token_hash=access)
        one_or_many = {"session_id": "c3", "session_ids": ["c3"], "access_token_hashes": [access]}
        touched = ask("touch", access_token_hash=access, **one_or_many)
        following = {"next_access_token_hash": next_access, "next_refresh_token_hash": next_refresh, "generation": 0}
        refreshed = ask(
            "refresh", selector_hash=selector, refresh_token_hash=refresh, rotation_nonce=b"nonce", **following
        )
        signed_out = ask("sign_out", selector_hash=selector, access_token_hash=next_access)
        kind = connection.execute("SELECT pgauthkit_kind FROM pgauthkit.users").fetchall()

        assert (verified[0], authenticated[0], refreshed[0]) == ("ok", "ok", "rotated")
        assert [touched[0], signed_out[0], kind] == ["c3", "c3" if release == "0001" else True, [("user",)]]


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

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
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


class TestNarrowRows:
    def test_rows_of_before(self, pgauthkit_empty_url: str) -> None:
        """A session that the release before has opened is good after the migration, and lives on."""
        engine = sa.create_engine(pgauthkit_empty_url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text("CREATE SCHEMA pgauthkit"))
            connection.commit()
            command.upgrade(alembic_config(connection), "0003")
        pair = FirstPair.new(0)
        with psycopg.connect(pgauthkit_empty_url, autocommit=True) as connection:
            connection.execute(INSERTS["users"], ["ada@example.com"])
            connection.execute(
                "INSERT INTO pgauthkit.sessions (id, selector_hash, access_token_hash, refresh_token_hash, user_agent,"
                " authenticated_at, last_used_at, access_expires_at, idle_expires_at, expires_at, user_id)"
                " SELECT 'c2', %s, %s, %s, 'Firefox', now(), now(), soon, soon, soon, 'c1'"
                " FROM (SELECT now() + interval '1 hour') AS _ (soon)",
                whole_hashes(pair),
            )
        assert deploy(engine).applied[0] == "0004"

        auth = AuthService(kept_engine := create_engine(pgauthkit_empty_url))
        assert auth.authenticate(pair.access.text(Kind.ACCESS).reveal()).email == "ada@example.com"
        following = auth.refresh(pair.refresh.text(Kind.REFRESH).reveal())
        assert auth.authenticate(following.access_token.reveal()).session_id == "c2"
        assert [session.user_agent for session in auth.list_sessions("c1")] == ["Firefox"]
        kept_engine.dispose()

    def test_the_release_before_reads_long_hashes(
        self, connection: psycopg.Connection[tuple[Any, ...]], pgauthkit_url: str
    ) -> None:
        """With `long_hashes` the release before reads what the new one writes; without, it finds nothing."""
        engine = create_engine(pgauthkit_url)
        verdicts: list[list[object]] = []
        for long_hashes in (True, False):
            auth = AuthService(engine, AuthConfig(long_hashes=long_hashes))
            link = auth.request_magic_link("ada@example.com")
            first = auth.verify_magic_link(link.token.reveal()).tokens
            tokens = auth.refresh(first.refresh_token.reveal())
            pair = Pair(
                SessionToken.parse(Kind.ACCESS, tokens.access_token.reveal()),
                SessionToken.parse(Kind.REFRESH, tokens.refresh_token.reveal()),
            )
            selector, access, refresh = whole_hashes(pair)
            given = {**SPANS, **GIVEN, "selector_hash": selector, "access_token_hash": access, "generation": 1}
            following = {"refresh_token_hash": refresh, "next_access_token_hash": b"a", "next_refresh_token_hash": b"r"}
            statements = ((FOLDERS["0003"] / f"{name}.sql").read_bytes() for name in ("authenticate", "refresh"))
            rows = (connection.execute(sql, {**given, **following, "rotation_nonce": b"n"}) for sql in statements)
            verdicts.append([verdict for row in rows for verdict, *_ in row.fetchall()])
        engine.dispose()
        assert verdicts == [["ok", "rotated"], []]


def whole_hashes(pair: Pair) -> list[bytes]:
    """Return what the release before keeps of a pair."""
    hasher = Hasher(AuthConfig(long_hashes=True))
    return list(pair.hashes(hasher).values())
