"""What the driver's contenders send: the least that does the job, and pgauthkit's own statements.

The least is the limit below any library: the keys are hashed beforehand, and rows stay tuples.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from typing import Any, Final

import attrs

from benchmarks.contenders.scene import LINKS_A_SECOND, Scene
from benchmarks.contenders.service import config
from benchmarks.rows import link_of, pair_of
from pgauthkit.hashing import FOUND_BY_BYTES, Hasher, Purpose, selector_hash
from pgauthkit.identifiers import new_id
from pgauthkit.service.limits import link_limits, parameters
from pgauthkit.service.moments import in_seconds
from pgauthkit.service.new_link import NewLink
from pgauthkit.service.opening import Opening
from pgauthkit.statements import authentication, magic_links, sessions

__all__ = ["Asking", "asking"]

Parameters = dict[str, Any]

AUTHENTICATE: Final = """
    SELECT s.id, s.user_id, u.email, u.role, s.authenticated_at, s.access_expires_at
    FROM pgauthkit.sessions s JOIN pgauthkit.users u ON u.id = s.user_id
    WHERE s.selector_hash = %(selector_hash)s AND s.access_token_hash = %(access_token_hash)s
      AND s.revoked_at IS NULL AND u.is_active AND s.access_expires_at > now()"""
LIST_SESSIONS: Final = """
    SELECT id, created_at, last_used_at, expires_at, ip, user_agent FROM pgauthkit.sessions
    WHERE user_id = %(user_id)s AND revoked_at IS NULL AND least(idle_expires_at, expires_at) > now()
    ORDER BY created_at DESC, id DESC"""


def _nothing(_used: Parameters) -> None:
    """Leave what was asked with as it was."""


@attrs.frozen
class Asking:
    """One statement, what to ask it with, and what to do with that afterwards."""

    sql: str
    supply: Callable[[float], Iterable[Parameters]]
    after: Callable[[Parameters], object] = _nothing


def asking(scene: Scene, work: str, *, least: bool) -> Asking:
    """Return a work load that is one statement.

    Args:
        scene: where.
        work: which.
        least: whether reads ask no more than they need, or are pgauthkit's own.
    """
    hasher = Hasher(config())
    makers: dict[str, Callable[[], Asking]] = {
        "authenticate": lambda: _authenticate(scene, hasher, least=least),
        "list_sessions": lambda: _list_sessions(scene, least=least),
        "request_link": lambda: _request_link(scene, hasher),
        "verify_link": lambda: _verify_link(scene, hasher),
        "refresh": lambda: _refresh(scene, hasher),
    }
    return makers[work]()


def _endless(parameters: Iterable[Parameters]) -> Callable[[float], Iterable[Parameters]]:
    endless = cycle(list(parameters))
    return lambda _seconds: endless


def _authenticate(scene: Scene, hasher: Hasher, *, least: bool) -> Asking:
    def parameters() -> Iterator[Parameters]:
        for number in scene.some_sessions():
            token = pair_of(number).access
            digest = hasher.digest(Purpose.ACCESS, token.proof, 0)
            selector = selector_hash(token.selector)
            if least:
                yield {"selector_hash": selector[:FOUND_BY_BYTES], "access_token_hash": hasher.kept(digest)}
            else:
                interval = {"touch_interval": config().touch_interval}
                yield in_seconds({"selector_hash": selector, "access_token_hash": digest, **interval})

    return Asking(AUTHENTICATE if least else authentication.AUTHENTICATE.sql, _endless(parameters()))


def _list_sessions(scene: Scene, *, least: bool) -> Asking:
    keys = _endless({"user_id": user} for user in scene.some_users())
    return Asking(LIST_SESSIONS if least else sessions.LIST_SESSIONS.sql, keys)


def _request_link(scene: Scene, hasher: Hasher) -> Asking:
    given, wanted = config(), cycle(scene.some_links_wanted())

    def link(email: str, ip: str) -> Parameters:
        made = {
            **NewLink.new(given, hasher, bind=False).hashes(hasher),
            **parameters(link_limits(given, hasher, email, ip)),
            "code_hash": None,
            "email": email,
            "redirect_to": None,
            "ip": ip,
            "user_agent": None,
            "magic_link_ttl": given.magic_link_ttl,
            "allow_sign_up": True,
        }
        return in_seconds(made)

    def made(seconds: float) -> Iterable[Parameters]:
        return [link(*next(wanted)) for _ in range(int(LINKS_A_SECOND * seconds) + 100)]

    names = tuple(link_limits(given, hasher, *scene.some_links_wanted()[0]))
    return Asking(magic_links.request_magic_link(names).sql, made)


def _verify_link(scene: Scene, hasher: Hasher) -> Asking:
    given = config()

    def made(seconds: float) -> Iterable[Parameters]:
        return [
            in_seconds(
                {
                    "token_hash": hasher.digest(Purpose.MAGIC_LINK, link_of(number).secret, 0),
                    "binding_hash": None,
                    **Opening.new(given, hasher, None, None, None).row,
                    "session_nonce": None,
                    "user_id": new_id(),
                    "allow_sign_up": True,
                    "require_binding": False,
                    "magic_link_ttl": given.magic_link_ttl,
                    "refresh_grace": given.refresh_grace,
                }
            )
            for number in scene.own_links(seconds)
        ]

    return Asking(magic_links.verify_magic_link(is_bound=False, on_device=False).sql, made)


def _refresh(scene: Scene, hasher: Hasher) -> Asking:
    settings = config()

    def parameters_of(number: int) -> Parameters:
        refresh, access = pair_of(number).refresh, pair_of(number).access
        digest = hasher.digest(Purpose.REFRESH, refresh.proof, 0)
        given = {
            "selector_hash": selector_hash(access.selector),
            "refresh_token_hash": digest,
            "generation": 0,
            "next_access_token_hash": digest,
            "next_refresh_token_hash": digest[::-1],
            "rotation_nonce": digest[:17],
            "refresh_grace": settings.refresh_grace,
            "access_ttl": settings.access_ttl,
            "session_idle_ttl": settings.session_idle_ttl,
            "ip": None,
            "browser": None,
        }
        return in_seconds(given)

    def swap(used: Parameters) -> None:
        # The limit derives no tokens: it goes to and fro between two hashes.
        current, following = used["refresh_token_hash"], used["next_refresh_token_hash"]
        used.update(refresh_token_hash=following, next_refresh_token_hash=current)

    return Asking(sessions.REFRESH.sql, _endless(map(parameters_of, scene.own_sessions())), swap)
