"""`MakeUser` and `MakeSignIn`: users, and people who are signed in, for a test that is about something else."""

from itertools import count
from typing import Any

from sqlalchemy import Engine, orm

from pgauthkit.database.sessions import check_engine
from pgauthkit.email_address import canonical_email
from pgauthkit.models import User
from pgauthkit.repositories import UserRepository
from pgauthkit.service import AuthService
from pgauthkit.values import SignIn

__all__ = ["MakeSignIn", "MakeUser"]


class MakeUser:
    """Makes users, each in a transaction of its own, committed.

    Args:
        engine: of a migrated database.

    Raises:
        ConfigError: it is no engine.

    Example:
        >>> make_user = MakeUser(engine)  # doctest: +SKIP
        >>> make_user().email  # doctest: +SKIP
        'user-1@example.com'
        >>> make_user("ada@example.com", role=UserRole.ADMIN).role  # doctest: +SKIP
        <UserRole.ADMIN: 'ADMIN'>
    """

    def __init__(self, engine: Engine) -> None:
        check_engine(engine)
        self._engine = engine
        self._numbers = count(1)

    def __call__(self, email: str | None = None, **values: Any) -> User:  # noqa: ANN401 - columns
        """Make a user, and return the row, which belongs to no session.

        Args:
            email: the address; None for one that nobody has.
            **values: other columns, such as `role=UserRole.ADMIN` or `is_active=False`.

        Raises:
            InvalidEmailError: it is no address.
            UniqueViolationError: another user has the address.
        """
        email = f"user-{next(self._numbers)}@example.com" if email is None else email
        with orm.Session(self._engine, expire_on_commit=False) as db:
            user = UserRepository(db).create(email=email, **values)
            db.commit()
        return user

    def ensure(self, email: str, **values: Any) -> User:  # noqa: ANN401 - columns
        """Return the user with an address, who is made where there is none."""
        with orm.Session(self._engine, expire_on_commit=False) as db:
            found = UserRepository(db).find_by_email(canonical_email(email))
        return found or self(email, **values)


class MakeSignIn:
    """Signs people in without a mail: nothing is counted by a rate limit.

    Args:
        auth: the service, with its clock and its peppers.
        make_user: makes those who are not there yet.

    Example:
        >>> sign_in = MakeSignIn(auth, MakeUser(engine))  # doctest: +SKIP
        >>> sign_in("ada@example.com").tokens.access_token.reveal()  # doctest: +SKIP
        'pgak_at_…'
    """

    def __init__(self, auth: AuthService, make_user: MakeUser) -> None:
        self._auth = auth
        self._make_user = make_user

    def __call__(
        self,
        user: User | str | None = None,
        *,
        device: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
        **values: Any,  # noqa: ANN401 - columns
    ) -> SignIn:
        """Open a session for a user, and return who it is with the tokens.

        Args:
            user: a user, or an address, whose user is made where there is none; None for a new user.
            device: the token of a browser that they have signed in on before (`SignIn.device`).
            ip: where they sign in from.
            user_agent: their browser.
            **values: columns of a user who is made, such as `role=UserRole.ADMIN`.

        Raises:
            NotFoundError: the user is not in this database.
            UserInactiveError: the user is inactive.
        """
        if not isinstance(user, User):
            user = self._make_user(**values) if user is None else self._make_user.ensure(user, **values)
        return self._auth.open_session(user.id, device=device, ip=ip, user_agent=user_agent)
