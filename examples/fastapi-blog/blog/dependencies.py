"""What a page asks for: the service, a session of the database, and who is there."""

from collections.abc import AsyncIterator
from typing import Annotated, TypedDict

from fastapi import Depends, HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncSession

from blog.cookies import ACCESS, REFRESH
from blog.settings import Settings
from pgauthkit import AsyncAuthService
from pgauthkit.errors import AuthenticationError
from pgauthkit.models import UserRole
from pgauthkit.repositories import transaction
from pgauthkit.values import Identity

__all__ = [
    "Admin",
    "Auth",
    "Client",
    "Database",
    "NotSignedInError",
    "SettingsOf",
    "SignedIn",
    "SignedInOrNot",
    "Visitor",
]


class NotSignedInError(Exception):
    """Nobody is there; `can_refresh` tells whether the browser has a refresh token."""

    def __init__(self, *, can_refresh: bool) -> None:
        super().__init__()
        self.can_refresh = can_refresh


class Visitor(TypedDict):
    """What the service keeps about a browser."""

    ip: str | None
    user_agent: str | None


def _auth(request: Request) -> AsyncAuthService:
    return request.app.state.auth


def _settings(request: Request) -> Settings:
    return request.app.state.settings


def _client(request: Request) -> Visitor:
    # Behind a proxy, run uvicorn with --proxy-headers and --forwarded-allow-ips, or every visitor has one address.
    return {"ip": request.client.host if request.client else None, "user_agent": request.headers.get("user-agent")}


async def _database(request: Request) -> AsyncIterator[AsyncSession]:
    async with transaction(request.app.state.engine) as db:
        yield db


Auth = Annotated[AsyncAuthService, Depends(_auth)]
SettingsOf = Annotated[Settings, Depends(_settings)]
Client = Annotated[Visitor, Depends(_client)]
Database = Annotated[AsyncSession, Depends(_database, scope="function")]


async def _identity(request: Request, auth: Auth) -> Identity:
    try:
        return await auth.authenticate(request.cookies.get(ACCESS, ""))
    except AuthenticationError as error:
        raise NotSignedInError(can_refresh=REFRESH in request.cookies) from error


async def _identity_or_none(request: Request, auth: Auth) -> Identity | None:
    if not request.cookies.get(ACCESS) and not request.cookies.get(REFRESH):
        return None
    return await _identity(request, auth)


SignedIn = Annotated[Identity, Depends(_identity)]
SignedInOrNot = Annotated[Identity | None, Depends(_identity_or_none)]


def _admin(identity: SignedIn) -> Identity:
    if identity.role != UserRole.ADMIN:
        raise HTTPException(403, "This page is for administrators.")
    return identity


Admin = Annotated[Identity, Depends(_admin)]
