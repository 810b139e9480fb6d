"""Ask on the computer, open the mail on the phone, be signed in on the computer."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, Request, Response

from blog.cookies import ACCESS, DEVICE, WAITING, clear_tokens, set_signed_in
from blog.dependencies import Auth, Client, SettingsOf
from blog.pages import page, see_other
from blog.sign_in import show_link, tell_owner
from pgauthkit.errors import (
    ApprovalPendingError,
    AuthenticationError,
    InvalidCodeError,
    RateLimitedError,
    TooManyAttemptsError,
)

__all__ = ["router"]

router = APIRouter()

Number = Annotated[str, Form(max_length=40)]


@router.post("/waiting")
async def claim(  # noqa: PLR0917 - what FastAPI puts in is named, not placed
    request: Request,
    auth: Auth,
    settings: SettingsOf,
    client: Client,
    tasks: BackgroundTasks,
    email: Annotated[str, Form()],
    match: Number,
) -> Response:
    """Ask whether this browser is let in: the page's script does it every few seconds, and its button without one."""
    try:
        signed_in = await auth.claim_sign_in(
            request.cookies.get(WAITING, ""), device=request.cookies.get(DEVICE), **client
        )
    except ApprovalPendingError as error:
        response = page(request, "waiting", 202, email=email, match=match)
        response.headers["Retry-After"] = str(int(error.retry_after.total_seconds()))
        return response
    except AuthenticationError:
        # Its time is up; or another tab of this browser was quicker, and it is signed in.
        response = see_other("/" if ACCESS in request.cookies else "/sign-in?ended=1")
        clear_tokens(response, WAITING)
        return response
    tell_owner(tasks, signed_in, client, settings)
    response = see_other(signed_in.redirect_to or "/")
    set_signed_in(response, signed_in)
    return response


@router.post("/approve")
async def approve(
    request: Request, auth: Auth, client: Client, token: Annotated[str, Form()], match: Number
) -> Response:
    """Let the waiting browser in, with the number that a person read there. Nobody is signed in here."""
    try:
        await auth.approve_magic_link(token, match, **client)
    except InvalidCodeError as error:
        problem = f"It is another number. Tries that are left: {error.attempts_left}."
        return await show_link(request, auth, token, 400, problem=problem)
    except (RateLimitedError, TooManyAttemptsError) as error:
        status = 429 if isinstance(error, RateLimitedError) else 400
        return await show_link(request, auth, token, status, problem=str(error))
    except AuthenticationError as error:
        return page(request, "refused", 400, problem=str(error))
    return page(request, "approved")
