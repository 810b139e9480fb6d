"""Users, as far as sign-in goes: find by address, deactivate, activate, change of address."""

from pgauthkit.email_address import canonical_email
from pgauthkit.errors import NotFoundError, UniqueViolationError
from pgauthkit.identifiers import is_storable
from pgauthkit.service.base import Service, id_or_none
from pgauthkit.statements import users as statements
from pgauthkit.statements.statement import Statement
from pgauthkit.values import UserInfo, UserRole

__all__ = ["Users"]


class Users(Service):
    """What `AuthService` does with users."""

    def find_user(self, email: str) -> UserInfo | None:
        """Return the user with an address, however it is written, or None. One read, by the unique index.

        It tells whether an address has an account: for the host's own use, and not for answers to strangers.

        Raises:
            InvalidEmailError: it is no address.

        Example:
            >>> auth.find_user("Ada@Example.com").is_active  # doctest: +SKIP
            True
        """
        row = self._row(statements.FIND_USER, email=canonical_email(email))
        if row is None:
            return None
        user_id, address, role, is_active, last_login_at, created_at = row
        return UserInfo(
            id=user_id,
            email=address,
            role=UserRole(role),
            is_active=is_active,
            last_login_at=last_login_at,
            created_at=created_at,
        )

    def deactivate_user(self, user_id: str) -> list[str]:
        """Keep a user out: no link, code or session of theirs is good any more. Return the ids of the sessions ended.

        Their devices are forgotten. One statement, which locks the user's pending links and then the user.

        Raises:
            NotFoundError: there is no such user.

        Example:
            >>> auth.deactivate_user(user.id)  # doctest: +SKIP
        """
        return self._switch(statements.DEACTIVATE_USER, user_id, "user_deactivated")

    def activate_user(self, user_id: str) -> list[str]:
        """Let a user in again, to sign in afresh. Return the ids of the sessions ended.

        Those are of sign-ins that were under way during the deactivation; their devices are forgotten too. Nothing
        happens to a user who is active. One statement, as `deactivate_user`.

        Raises:
            NotFoundError: there is no such user.

        Example:
            >>> auth.activate_user(user.id)  # doctest: +SKIP
            []
        """
        return self._switch(statements.ACTIVATE_USER, user_id, "user_activated")

    def change_email(self, user_id: str, email: str, *, keep_session: str | None = None) -> list[str]:
        """Move a user to another address, which the host has verified. Return the ids of the sessions ended.

        Pending links of both addresses end, and every session but `keep_session`, whose device alone stays known: in
        one statement, and in a second one those of sign-ins at the old address that were under way. Where the second
        fails, call it again.

        Raises:
            InvalidEmailError: it is no address.
            UniqueViolationError: another user has it.
            NotFoundError: there is no such user.

        Example:
            >>> auth.change_email(user.id, "ada@new.example", keep_session=identity.session_id)  # doctest: +SKIP
        """
        address = canonical_email(email)
        if not is_storable(user_id):
            raise NotFoundError("There is no such user.", table="users")
        with self._ending(user_id):
            row = self._moved(user_id, address, keep_session)
            meanwhile = [] if row is None else self._opened_meanwhile(user_id, keep_session)
        if row is None:
            raise NotFoundError("There is no such user.", table="users")
        ids = [*row[0], *meanwhile]
        self._audit.tell("email_changed", user_id=user_id, email=address, sessions=len(ids))
        return ids

    def _moved(self, user_id: str, address: str, keep: str | None) -> tuple[list[str]] | None:
        try:
            return self._row(statements.CHANGE_EMAIL, user_id=user_id, email=address, keep=id_or_none(keep))
        except UniqueViolationError as error:
            error.columns = ("email",)  # the server names the constraint, and not its columns
            raise

    def _opened_meanwhile(self, user_id: str, keep: str | None) -> list[str]:
        # The first statement waits for sign-ins that hold a link of the old address, but saw the sessions of before.
        rows = self._rows(statements.END_OTHERS, user_id=user_id, keep=id_or_none(keep))
        return [row[0] for row in rows]

    def _switch(self, statement: Statement, user_id: str, kind: str) -> list[str]:
        row = None
        if is_storable(user_id):
            with self._ending(user_id):
                row = self._row(statement, user_id=user_id)
        if row is None:
            raise NotFoundError("There is no such user.", table="users")
        email, has_switched, ids = row
        if has_switched:
            self._audit.tell(kind, user_id=user_id, email=email, sessions=len(ids))
        return list(ids)
