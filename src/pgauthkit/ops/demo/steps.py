"""`Demo`: the steps, one method each."""

import asyncio
import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import TracebackType
from typing import Final, Self

from sqlalchemy import func, inspect
from sqlalchemy.dialects.postgresql import insert

from pgauthkit.aio import AsyncAuthService
from pgauthkit.config import AuthConfig
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.database.unavailable import translated
from pgauthkit.errors import (
    ApprovalPendingError,
    InvalidCodeError,
    RefreshTokenReusedError,
    SessionRevokedError,
    TokenAlreadyUsedError,
)
from pgauthkit.hashing import Hasher
from pgauthkit.identifiers import new_id
from pgauthkit.models import SCHEMA, User, UserRole
from pgauthkit.ops.demo.claims import Refusal, prove
from pgauthkit.ops.demo.rows import DemoRows, search
from pgauthkit.ops.demo.values import AtRest, Deployed, Handoff, LinkUse, Replay, Seeded, SignOut, TwoTabs
from pgauthkit.ops.migrate import deploy
from pgauthkit.secret import Secret
from pgauthkit.service import AuthService
from pgauthkit.service.limits import link_limits, match_limits
from pgauthkit.values import AuthEvent, Identity, IssuedMagicLink, SignIn, TokenPair

__all__ = ["EMAIL", "TYPED_EMAIL", "Demo"]

# RFC 2606 and RFC 5737 keep the domain and the ip free: neither belongs to anyone.
TYPED_EMAIL: Final = "Ada@Demo.Example"
EMAIL: Final = "ada@demo.example"
IP: Final = "203.0.113.7"
LAPTOP: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"


class Demo:
    """A sign-in from beginning to end, for one address, `EMAIL`. The methods are the steps, in their order.

    Args:
        url: the database. Only rows of `EMAIL` are written and read there.

    Raises:
        ConfigError: the URL is not one of PostgreSQL.

    Every step raises `PgAuthKitError` where a claim does not hold, and `DatabaseUnavailableError`.

    Example:
        >>> with Demo("postgresql://localhost/scratch") as demo:  # doctest: +SKIP
        ...     demo.deploy()
        ...     link = demo.ask_for_link()
    """

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        self._events: list[AuthEvent] = []
        self._config = AuthConfig(observers=(self._events.append,))
        self._auth = AuthService(self._engine, self._config)
        self._issued: set[Secret] = set()
        self._rows = DemoRows(self._engine, EMAIL, _buckets(self._config))

    def deploy(self) -> Deployed:
        """Apply the migrations that are missing, and remove what an earlier demo left of its links and sessions."""
        done = deploy(self._engine)
        self._rows.remove(with_user=False)
        with translated(self._engine.url):
            tables = inspect(self._engine).get_table_names(schema=SCHEMA)
        return Deployed(applied=done.applied, tables=tuple(sorted(tables)))

    def seed(self) -> Seeded:
        """Make the address an admin, twice: the second time it is the same row."""
        first, second = self._upsert_admin(), self._upsert_admin()
        prove(claim=first == second, otherwise="The second upsert made another row.")
        return first

    def ask_for_link(self) -> IssuedMagicLink:
        """Ask for a link, as a form of the host would."""
        link = self._auth.request_magic_link(TYPED_EMAIL, redirect_to="/inbox", ip=IP, user_agent="Firefox")
        self._issued.add(link.token)
        return link

    def open_link(self, link: IssuedMagicLink) -> LinkUse:
        """Look at a link, use it, and try to use it again."""
        token = link.token.reveal()
        preview = self._auth.peek_magic_link(token)
        signed_in = self._auth.verify_magic_link(token, ip=IP, user_agent="Firefox")
        self._keep_sign_in(signed_in)
        with Refusal(TokenAlreadyUsedError) as refusal:
            self._auth.verify_magic_link(token)
        return LinkUse(preview=preview, signed_in=signed_in, second_use=refusal.error)

    def authenticate(self, tokens: TokenPair) -> Identity:
        """Ask who holds an access token, as the host does for each request."""
        return self._auth.authenticate(tokens.access_token.reveal())

    def refresh_from_two_tabs(self, tokens: TokenPair) -> TwoTabs:
        """Refresh with one token from two threads at once: both get the same pair."""
        with translated(self._engine.url), self._engine.connect(), self._engine.connect():
            pass  # the pool has two connections now: neither tab loses its time with opening one
        self._events.clear()
        start = Barrier(2)

        def tab() -> TokenPair:
            start.wait()
            return self._auth.refresh(tokens.refresh_token.reveal(), ip=IP)

        with ThreadPoolExecutor(2) as threads:
            first, second = (thread.result() for thread in [threads.submit(tab), threads.submit(tab)])
        self._keep(first, second)
        kinds = Counter(event.kind for event in self._events)
        prove(claim=first == second, otherwise="The two tabs got different pairs.")
        prove(claim=kinds["refreshed"] == 1, otherwise="The tokens were rotated more than once.")
        return TwoTabs(first=first, second=second, rotations=kinds["refreshed"], converged=kinds["refresh_converged"])

    def replay(self, old: TokenPair, current: TokenPair) -> Replay:
        """Refresh once more, then present an old refresh token: the session ends, for the owner and for the thief.

        Args:
            old: the pair before `current`; until the next refresh it would only be given `current` again.
            current: the pair that the owner has.
        """
        latest = self._auth.refresh(current.refresh_token.reveal(), ip=IP)
        self._keep(latest)
        with Refusal(RefreshTokenReusedError) as refresh:
            self._auth.refresh(old.refresh_token.reveal())
        with Refusal(SessionRevokedError) as access:
            self._auth.authenticate(latest.access_token.reveal())
        return Replay(refresh=refresh.error, access=access.error)

    def sign_in_and_out(self) -> SignOut:
        """Sign in again and sign out, in async code; starts an event loop, so there must be none."""
        return asyncio.run(self._sign_in_and_out())

    def hand_off(self) -> Handoff:
        """Ask on a laptop, type its number on a phone, and be signed in on the laptop."""
        link = self._auth.request_magic_link(EMAIL, ip=IP, user_agent=LAPTOP, handoff=True)
        cookie, match = link.handoff or Secret(""), link.match or ""
        self._issued |= {link.token, cookie}
        with Refusal(ApprovalPendingError) as waiting:
            self._auth.claim_sign_in(cookie.reveal(), ip=IP, user_agent=LAPTOP)
        preview = self._auth.peek_magic_link(link.token.reveal())
        with Refusal(InvalidCodeError) as wrong:
            self._auth.approve_magic_link(link.token.reveal(), str(109 - int(match)))  # of 10 to 99, and another
        self._auth.approve_magic_link(link.token.reveal(), match)
        signed_in = self._auth.claim_sign_in(cookie.reveal(), ip=IP, user_agent=LAPTOP)
        self._keep_sign_in(signed_in)
        return Handoff(match=match, waiting=waiting.error, preview=preview, wrong=wrong.error, signed_in=signed_in)

    def look_at_rest(self) -> AtRest:
        """Read the demo's rows, and search them for every secret that was issued."""
        tables = self._rows.read()
        found = search(tables, self._issued)
        prove(claim=found.found == 0, otherwise="A secret is in the tables.")
        prove(claim=found.hashes > 0, otherwise="The search does not find the hashes either.")
        return AtRest(tables=tables, search=found)

    def remove_rows(self) -> None:
        """Delete everything of the address, the user as well; the tables stay."""
        self._rows.remove(with_user=True)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _upsert_admin(self) -> Seeded:
        row = insert(User).values(id=new_id(), email=EMAIL, role=UserRole.ADMIN, is_active=True)
        wanted = {"role": row.excluded.role, "is_active": row.excluded.is_active, "updated_at": func.now()}
        upsert = row.on_conflict_do_update(index_elements=[User.email], set_=wanted)
        with translated(self._engine.url), self._engine.begin() as connection:
            user_id, role = connection.execute(upsert.returning(User.id, User.role)).one()
        return Seeded(user_id=user_id, email=EMAIL, role=role)

    async def _sign_in_and_out(self) -> SignOut:
        engine = create_async_engine(self._engine.url)
        try:
            auth = AsyncAuthService(engine, self._config)
            link = await auth.request_magic_link(EMAIL, ip=IP, user_agent="Safari")
            signed_in = await auth.verify_magic_link(link.token.reveal(), ip=IP, user_agent="Safari")
            access_token = signed_in.tokens.access_token.reveal()
            await auth.sign_out(access_token)
            with Refusal(SessionRevokedError) as access:
                await auth.authenticate(access_token)
        finally:
            await engine.dispose()
        self._issued.add(link.token)
        self._keep_sign_in(signed_in)
        return SignOut(signed_in=signed_in, access=access.error)

    def _keep(self, *pairs: TokenPair) -> None:
        for pair in pairs:
            self._issued |= {pair.access_token, pair.refresh_token}

    def _keep_sign_in(self, signed_in: SignIn) -> None:
        self._issued.add(signed_in.device)
        self._keep(signed_in.tokens)


def _buckets(config: AuthConfig) -> list[bytes]:
    """Return the keys of the rate limits that the steps write; one of them the statement makes from the address."""
    hasher = Hasher(config)
    wrong = [hashlib.sha256(key + EMAIL.encode()).digest() for key, _limit in match_limits(config, hasher).values()]
    return [*wrong, *(key for key, _limit in link_limits(config, hasher, EMAIL, IP).values())]
