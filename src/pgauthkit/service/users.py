"""Users, as far as their sessions and links hang on them: deactivate, activate, change of address."""

from pgauthkit.email_address import canonical_email
from pgauthkit.errors import NotFoundError
from pgauthkit.identifiers import is_storable
from pgauthkit.service.base import Service
from pgauthkit.statements import users as statements
from pgauthkit.statements.statement import Statement

__all__ = ["Users"]


class Users(Service):
    """What `AuthService` does with users."""

    def deactivate_user(self, user_id: str) -> list[str]:
        """Keep a user out: no link, code or session of theirs is good any more. Return the ids of the sessions ended.

        One statement, which locks the user's pending links and then the user.

        Raises:
            NotFoundError: there is no such user.

        Example:
            >>> auth.deactivate_user(user.id)  # doctest: +SKIP
        """
        return self._switch(statements.DEACTIVATE_USER, user_id, "user_deactivated")

    def activate_user(self, user_id: str) -> list[str]:
        """Let a user in again, to sign in anew. Return the ids of the sessions ended.

        Those are of sign-ins that were under way during the deactivation. One statement, as `deactivate_user`.

        Raises:
            NotFoundError: there is no such user.

        Example:
            >>> auth.activate_user(user.id)  # doctest: +SKIP
            []
        """
        return self._switch(statements.ACTIVATE_USER, user_id, "user_activated")

    def change_email(self, user_id: str, email: str, *, keep_session: str | None = None) -> list[str]:
        """Move a user to another address, which the host has verified. Return the ids of the sessions ended.

        One statement: pending links of both addresses end, and every session but `keep_session`.

        Raises:
            InvalidEmailError: it is no address.
            UniqueViolationError: another user has it.
            NotFoundError: there is no such user.

        Example:
            >>> auth.change_email(user.id, "ada@new.example", keep_session=identity.session_id)  # doctest: +SKIP
        """
        address = canonical_email(email)
        row = None
        if is_storable(user_id):
            row = self._row(statements.CHANGE_EMAIL, user_id=user_id, email=address, keep=keep_session)
        if row is None:
            raise NotFoundError("There is no such user.", table="users")
        ids: list[str] = row[0]
        self._audit.tell("email_changed", user_id=user_id, email=address, sessions=len(ids))
        return ids

    def _switch(self, statement: Statement, user_id: str, kind: str) -> list[str]:
        row = self._row(statement, user_id=user_id) if is_storable(user_id) else None
        if row is None:
            raise NotFoundError("There is no such user.", table="users")
        email, ids = row
        self._audit.tell(kind, user_id=user_id, email=email, sessions=len(ids))
        return list(ids)
