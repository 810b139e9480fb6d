"""Inviting people, with a role: the administrators' page."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Form, HTTPException, Request, Response

from blog.dependencies import Admin, Auth, SettingsOf
from blog.mail import send_invitation
from blog.pages import page, see_other
from pgauthkit.errors import InvalidEmailError, RateLimitedError
from pgauthkit.models import UserRole

__all__ = ["router"]

router = APIRouter(prefix="/invitations")


@router.get("")
async def show(request: Request, auth: Auth, identity: Admin) -> Response:
    """List who is invited and has not come yet."""
    return page(request, "invitations", identity=identity, invitations=await auth.list_invitations())


@router.post("")
async def invite(  # noqa: PLR0917 - what FastAPI puts in is named, not placed
    request: Request,
    auth: Auth,
    settings: SettingsOf,
    tasks: BackgroundTasks,
    identity: Admin,
    email: Annotated[str, Form()],
    role: Annotated[UserRole, Form()] = UserRole.USER,
) -> Response:
    """Invite somebody; a second invitation of the same address replaces the first, with its role."""
    try:
        link = await auth.invite(email, role=role)
    except (InvalidEmailError, RateLimitedError) as error:
        found = await auth.list_invitations()
        status = 429 if isinstance(error, RateLimitedError) else 400
        return page(request, "invitations", status, identity=identity, invitations=found, problem=str(error))
    if link.should_send:
        tasks.add_task(send_invitation, link, settings)
    return see_other("/invitations")


@router.post("/{link_id}/withdraw")
async def withdraw(auth: Auth, _identity: Admin, link_id: str) -> Response:
    """Take an invitation back."""
    if not await auth.withdraw_invitation(link_id):
        raise HTTPException(404, "There is no such invitation.")
    return see_other("/invitations")
