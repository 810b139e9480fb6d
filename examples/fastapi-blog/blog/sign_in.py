"""Signing in and out: ask for a link, look at it, use it, refresh."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, Request, Response

from blog.cookies import ACCESS, BINDING, DEVICE, REFRESH, WAITING, clear_tokens, set_asked, set_signed_in, set_tokens
from blog.dependencies import Auth, Client, SettingsOf, Visitor
from blog.mail import send_link, send_new_device
from blog.pages import page, see_other
from blog.settings import Settings
from pgauthkit import AsyncAuthService
from pgauthkit.errors import AuthenticationError, InvalidEmailError, InvalidRedirectError, RateLimitedError
from pgauthkit.values import SignIn

__all__ = ["router", "show_link", "tell_owner"]

router = APIRouter()


@router.get("/sign-in")
async def ask(request: Request, following: str = "/", *, ended: bool = False) -> Response:
    """Show the form."""
    problem = "Nobody let this browser in, and the link is over. Ask for another." if ended else None
    return page(request, "sign_in", following=following, problem=problem)


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
    """Make a link, and mail it after the answer: the answer is the same whoever asks, and as quick.

    The link works in this browser alone; on another device it lets this one in. With the cookies that the browser has
    already, as for "send it again", all its mails stay good, and the number stays the same.
    """
    ours = request.cookies
    try:
        link = await auth.request_magic_link(
            email,
            redirect_to=following,
            bind=ours.get(BINDING) or True,
            handoff=ours.get(WAITING) or True,
            device=ours.get(DEVICE),
            **client,
        )
    except (InvalidEmailError, InvalidRedirectError) as error:
        return page(request, "sign_in", 400, following="/", problem=str(error))
    except RateLimitedError as error:
        response = page(request, "sign_in", 429, following=following, problem=str(error))
        response.headers["Retry-After"] = str(int(error.retry_after.total_seconds()) + 1)
        return response
    if link.should_send:
        tasks.add_task(send_link, link, settings)
    response = page(request, "waiting", email=link.email, match=link.match, following=following)
    set_asked(response, link)
    return response


@router.head("/confirm")
@router.get("/confirm")
async def look(request: Request, auth: Auth, token: str = "") -> Response:
    """Show whose link it is, and who asked. Mail scanners open this page too, so it changes nothing."""
    return await show_link(request, auth, token)


@router.post("/confirm")
async def confirm(  # noqa: PLR0917 - what FastAPI puts in is named, not placed
    request: Request,
    auth: Auth,
    settings: SettingsOf,
    client: Client,
    tasks: BackgroundTasks,
    token: Annotated[str, Form()],
) -> Response:
    """Use the link, once: here, because here it was asked for, or because it is an invitation."""
    ours = request.cookies
    try:
        signed_in = await auth.verify_magic_link(token, binding=ours.get(BINDING), device=ours.get(DEVICE), **client)
    except AuthenticationError as error:
        return page(request, "refused", 400, problem=str(error))
    tell_owner(tasks, signed_in, client, settings)
    response = see_other(signed_in.redirect_to or "/")
    set_signed_in(response, signed_in)
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
    """End this session. The browser stays a known device."""
    response = see_other("/")
    clear_tokens(response)
    try:
        await auth.sign_out(request.cookies.get(ACCESS, ""))
    except AuthenticationError:
        pass  # There was none.
    return response


async def show_link(
    request: Request, auth: AsyncAuthService, token: str, status: int = 200, problem: str | None = None
) -> Response:
    """Show the page of a link: in the browser that asked the button, elsewhere the field for its number."""
    try:
        preview = await auth.peek_magic_link(token)
    except AuthenticationError as error:
        return page(request, "refused", 400, problem=str(error))
    here = BINDING in request.cookies or not preview.handoff
    return page(request, "confirm", status, link=preview, token=token, here=here, problem=problem)


def tell_owner(tasks: BackgroundTasks, signed_in: SignIn, client: Visitor, settings: Settings) -> None:
    """Mail the owner of an account that is signed in on a browser for the first time, unless the account is new."""
    if not signed_in.known_device and not signed_in.created:
        tasks.add_task(send_new_device, signed_in.user.email, client["ip"], client["user_agent"], settings)
