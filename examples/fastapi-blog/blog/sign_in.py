"""Signing in and out: ask for a link, look at it, use it, refresh."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, Request, Response

from blog.cookies import ACCESS, REFRESH, clear_tokens, set_tokens
from blog.dependencies import Auth, Client, SettingsOf
from blog.mail import send_link
from blog.pages import page, see_other
from pgauthkit.errors import AuthenticationError, InvalidEmailError, InvalidRedirectError, RateLimitedError

__all__ = ["router"]

router = APIRouter()


@router.get("/sign-in")
async def ask(request: Request, following: str = "/") -> Response:
    """Show the form."""
    return page(request, "sign_in", following=following)


@router.post("/sign-in")
async def request_link(  # noqa: PLR0917 - what FastAPI puts in is named, not placed
    request: Request,
    auth: Auth,
    settings: SettingsOf,
    client: Client,
    tasks: BackgroundTasks,
    email: Annotated[str, Form()],
    following: Annotated[str, Form()] = "/",
) -> Response:
    """Make a link, and mail it after the answer: the answer is the same whoever asks, and as quick."""
    try:
        link = await auth.request_magic_link(email, redirect_to=following, **client)
    except (InvalidEmailError, InvalidRedirectError) as error:
        return page(request, "sign_in", 400, following="/", problem=str(error))
    except RateLimitedError as error:
        response = page(request, "sign_in", 429, following=following, problem=str(error))
        response.headers["Retry-After"] = str(int(error.retry_after.total_seconds()) + 1)
        return response
    if link.should_send:
        tasks.add_task(send_link, link, settings)
    return page(request, "sent", email=link.email)


@router.get("/confirm")
async def look(request: Request, auth: Auth, token: str = "") -> Response:
    """Show whose link it is. Mail scanners open this page too, so it changes nothing."""
    try:
        preview = await auth.peek_magic_link(token)
    except AuthenticationError as error:
        return page(request, "refused", 400, problem=str(error))
    response = page(request, "confirm", email=preview.email, token=token)
    # The address has the token in it: no other site and no cache shall get it.
    response.headers.update({"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"})
    return response


@router.post("/confirm")
async def confirm(request: Request, auth: Auth, client: Client, token: Annotated[str, Form()]) -> Response:
    """Use the link, once."""
    try:
        signed_in = await auth.verify_magic_link(token, **client)
    except AuthenticationError as error:
        return page(request, "refused", 400, problem=str(error))
    response = see_other(signed_in.redirect_to or "/")
    set_tokens(response, signed_in.tokens)
    return response


@router.get("/refresh")
async def refresh(request: Request, auth: Auth, client: Client, following: str = "/") -> Response:
    """Exchange the refresh token, and go on; two tabs that come here at once get the same pair."""
    response = see_other(following if following.startswith("/") and following[1:2] not in ("/", "\\") else "/")
    try:
        set_tokens(response, await auth.refresh(request.cookies.get(REFRESH, ""), **client))
    except AuthenticationError:
        clear_tokens(response)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, auth: Auth) -> Response:
    """End this session."""
    response = see_other("/")
    clear_tokens(response)
    try:
        await auth.sign_out(request.cookies.get(ACCESS, ""))
    except AuthenticationError:
        pass  # There was none.
    return response
