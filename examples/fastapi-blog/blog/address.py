"""Moving to another address, by a link that is mailed to it."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, BackgroundTasks, Form, Request, Response

from blog.dependencies import Auth, Client, SettingsOf, SignedIn, SignedInOrNot
from blog.mail import send_change, send_moved
from blog.pages import page
from pgauthkit.errors import AuthenticationError, InvalidEmailError, RateLimitedError, UniqueViolationError

__all__ = ["router"]

router = APIRouter(prefix="/address")

# Who finds an open laptop must not take the account along: they would have to read the owner's mail first.
FRESH: Final = timedelta(minutes=20)


@router.get("")
async def ask(request: Request, identity: SignedIn) -> Response:
    """Show the form."""
    return page(request, "address", identity=identity, fresh=identity.is_fresh(FRESH))


@router.post("")
async def request_change(  # noqa: PLR0917 - what FastAPI puts in is named, not placed
    request: Request,
    auth: Auth,
    settings: SettingsOf,
    client: Client,
    tasks: BackgroundTasks,
    identity: SignedIn,
    email: Annotated[str, Form()],
) -> Response:
    """Mail a link to the new address. The answer is the same where another account has it."""
    if not identity.is_fresh(FRESH):
        return page(request, "address", 403, identity=identity, fresh=False)
    try:
        link = await auth.request_email_change(identity.user_id, email, **client)
    except (InvalidEmailError, RateLimitedError) as error:
        status = 429 if isinstance(error, RateLimitedError) else 400
        return page(request, "address", status, identity=identity, fresh=True, problem=str(error))
    tasks.add_task(send_change, link, settings)
    return page(request, "address", identity=identity, sent=link.email)


@router.get("/confirm")
async def look(request: Request, auth: Auth, identity: SignedInOrNot, token: str = "") -> Response:
    """Show what would move; it changes nothing."""
    try:
        preview = await auth.peek_magic_link(token)
    except AuthenticationError as error:
        return page(request, "refused", 400, identity=identity, problem=str(error))
    return page(request, "move", identity=identity, email=preview.email, token=token)


@router.post("/confirm")
async def confirm(  # noqa: PLR0917 - what FastAPI puts in is named, not placed
    request: Request,
    auth: Auth,
    settings: SettingsOf,
    tasks: BackgroundTasks,
    identity: SignedIn,
    token: Annotated[str, Form()],
) -> Response:
    """Move the one who is signed in here, nobody else, and end their other sessions."""
    try:
        change = await auth.confirm_email_change(token, user_id=identity.user_id, keep_session=identity.session_id)
    except UniqueViolationError:
        return page(request, "refused", 409, identity=identity, problem="Another account has this address.")
    except AuthenticationError as error:
        return page(request, "refused", 400, identity=identity, problem=str(error))
    tasks.add_task(send_moved, change, settings)
    return page(request, "moved", change=change)
