"""Answers of `authenticate` that are kept in the memory of this process: who a token's holder was a moment ago."""

import os
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2b
from threading import Lock
from typing import Any, Final, cast
from weakref import WeakSet

import attrs

from pgauthkit.config import AuthConfig
from pgauthkit.service.memory.marks import MARKS, elapsed
from pgauthkit.service.moments import read_clock
from pgauthkit.session_cache import SessionCache
from pgauthkit.values import Identity, UserRole

__all__ = ["ROLES", "Kept"]

LONGEST_TOKEN: Final = 200  # characters; more than any has, so that rubbish is not even hashed


# The fields of an `Identity`; the hash of its selector; when its statement was sent, by the clock of the process; how
# many seconds it is good from then on; and its key. Plain tuples of what refers to nothing: the garbage collector drops
# them from its lists at the first look, and no full collection comes of them; a named one takes four times as long.
_Answer = tuple[str, str, str, str, datetime, datetime, datetime, bytes, float, float, bytes]
_BEGUN: Final = 8
_KEY: Final = 10
ROLES: Final[dict[str, UserRole]] = {role.value: role for role in UserRole}


class Kept:
    """The answers of one service, by a hash of the token under a key of their own.

    What was committed before a statement was sent is in its snapshot. So an answer whose age counts from that moment is
    never older than `max_staleness`, by whatever means a session is ended, and however late they commit.
    """

    def __init__(self, settings: SessionCache, clock: Callable[[], datetime] | None) -> None:
        self._longest = settings.max_staleness
        self._seconds = self._longest.total_seconds()
        self._size = settings.size
        self._clock = clock
        MARKS.keep_for(self._seconds)
        self.clear()
        _ALL.add(self)

    @classmethod
    def of(cls, config: AuthConfig) -> "Kept | None":
        """Return what a configuration asks for, which is nothing as a rule."""
        if config.session_cache is None:
            return None
        return cls(config.session_cache, None if config.clock is None else partial(_read, config))

    def __len__(self) -> int:
        return len(self._answers)

    def clear(self) -> None:
        """Forget all, and take another key."""
        self._lock = Lock()
        self._hash = blake2b(key=os.urandom(blake2b.MAX_KEY_SIZE), digest_size=16)
        self._answers: dict[bytes, _Answer] = {}
        self._order: deque[_Answer] = deque()

    def key(self, token: object) -> bytes:
        """Return what a token is kept by: nothing for what is none, which is not even hashed."""
        if not isinstance(token, str) or len(token) > LONGEST_TOKEN or not token.isascii():
            return b""
        hashed = self._hash.copy()
        hashed.update(token.encode())
        return hashed.digest()

    def find(self, key: bytes) -> Identity | None:
        """Return who holds a token, by its key, when that was asked lately and nothing was ended since."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        user_id, email, role, session_id, authenticated_at, expires_at, asked_at, selector_hash, begun, life, _ = answer
        # Before the clock: a thread that is put aside between the two must find the one or the other.
        if MARKS.void(begun, selector_hash, user_id):
            return None
        age = elapsed() - begun
        if age >= life:
            return None
        # As of now, so that `is_fresh` is not judged as of the moment that the database was asked.
        if self._clock is None:
            asked_at += timedelta(0, age)
        elif not asked_at <= (at := self._clock()) < asked_at + timedelta(0, life):
            return None
        else:
            asked_at = at
        found = _new(Identity)
        _user_id(found, user_id)
        _email(found, email)
        _role(found, ROLES[role])
        _session_id(found, session_id)
        _authenticated_at(found, authenticated_at)
        _expires_at(found, expires_at)
        _asked_at(found, asked_at)
        return found

    def put(self, key: bytes, selector_hash: bytes, begun: float, identity: Identity) -> None:
        """Keep an answer. One that was voided while it was under way is never given."""
        left = identity.expires_at - identity.asked_at
        life = self._seconds if left >= self._longest else left.total_seconds()
        answer: _Answer = (
            identity.user_id,
            identity.email,
            identity.role.value,
            identity.session_id,
            identity.authenticated_at,
            identity.expires_at,
            identity.asked_at,
            selector_hash,
            begun,
            life,
            key,
        )
        with self._lock:
            self._answers[key] = answer
            self._order.append(answer)
            while len(self._order) > self._size or self._order[0][_BEGUN] + self._seconds < begun:
                oldest = self._order.popleft()
                if self._answers.get(oldest[_KEY]) is oldest:  # else it was asked again since
                    del self._answers[oldest[_KEY]]


_new: Final[Callable[[type[Identity]], Identity]] = object.__new__
# The slots of a frozen value, as its own `__init__` fills them, which takes twice the time to read its arguments by
# name; `attrs.evolve`, which looks for the fields each time, takes eight times as long. It was a third of a hit.
_fill: Final[list[Any]] = [vars(Identity)[field.name].__set__ for field in attrs.fields(Identity)]
_user_id, _email, _role, _session_id, _authenticated_at, _expires_at, _asked_at = _fill


def _read(config: AuthConfig) -> datetime:
    return cast("datetime", read_clock(config))


_ALL: Final[WeakSet[Kept]] = WeakSet()


def _forget() -> None:
    """A process that was forked hears nothing of what its parent ends."""
    for kept in tuple(_ALL):
        kept.clear()


os.register_at_fork(after_in_child=_forget)
