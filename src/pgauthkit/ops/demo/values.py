"""What the steps of the demo return."""

import attrs

from pgauthkit.errors import PgAuthKitError
from pgauthkit.ops.demo.rows import Row, Search
from pgauthkit.values import MagicLinkPreview, SignIn, TokenPair, UserRole

__all__ = ["AtRest", "Deployed", "Handoff", "LinkUse", "Replay", "Seeded", "Server", "SignOut", "TwoTabs"]


@attrs.frozen(kw_only=True)
class Server:
    """A server, and the database in it."""

    version: str
    database: str


@attrs.frozen(kw_only=True)
class Deployed:
    """A database that was migrated: the revisions applied, and the tables that our schema has now."""

    applied: tuple[str, ...]
    tables: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Seeded:
    """A user that was seeded, twice, and is there once."""

    user_id: str
    email: str
    role: UserRole


@attrs.frozen(kw_only=True)
class LinkUse:
    """A link that was looked at, used, and tried again."""

    preview: MagicLinkPreview
    signed_in: SignIn
    second_use: PgAuthKitError


@attrs.frozen(kw_only=True)
class TwoTabs:
    """What each of two tabs got for one refresh token, and what the audit log says of it."""

    first: TokenPair
    second: TokenPair
    rotations: int
    converged: int


@attrs.frozen(kw_only=True)
class Replay:
    """An old refresh token that came back: what it got, and what became of the session's access token."""

    refresh: PgAuthKitError
    access: PgAuthKitError


@attrs.frozen(kw_only=True)
class SignOut:
    """A sign-in that was ended by its owner, and what its access token got afterwards."""

    signed_in: SignIn
    access: PgAuthKitError


@attrs.frozen(kw_only=True)
class Handoff:
    """A browser that waited, what the phone saw of it, a wrong number typed there, and the sign-in after the right."""

    match: str
    waiting: PgAuthKitError
    preview: MagicLinkPreview
    wrong: PgAuthKitError
    signed_in: SignIn


@attrs.frozen(kw_only=True)
class AtRest:
    """The demo's rows in each table, and the search for secrets in them."""

    tables: dict[str, list[Row]]
    search: Search
