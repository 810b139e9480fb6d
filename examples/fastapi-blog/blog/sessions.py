"""The page of one's own sessions, and of the browsers that they were opened on."""

from fastapi import APIRouter, HTTPException, Request, Response

from blog.dependencies import Auth, SignedIn
from blog.pages import page, see_other

__all__ = ["router"]

router = APIRouter(prefix="/sessions")


@router.get("")
async def show(request: Request, auth: Auth, identity: SignedIn) -> Response:
    """List where one is signed in, and where one has been."""
    sessions = await auth.list_sessions(identity.user_id)
    devices = await auth.list_devices(identity.user_id)
    here = next((session.device_id for session in sessions if session.id == identity.session_id), None)
    return page(request, "sessions", identity=identity, sessions=sessions, devices=devices, here=here)


@router.post("/revoke-others")
async def revoke_others(auth: Auth, identity: SignedIn) -> Response:
    """Sign out everywhere else."""
    await auth.revoke_sessions(identity.user_id, keep=identity.session_id)
    return see_other("/sessions")


@router.post("/{session_id}/revoke")
async def revoke(auth: Auth, identity: SignedIn, session_id: str) -> Response:
    """End one; nobody can end another's, because the id is looked for among one's own."""
    if not await auth.revoke_session(identity.user_id, session_id):
        raise HTTPException(404, "You have no such session.")
    return see_other("/sessions")


@router.post("/devices/{device_id}/forget")
async def forget(auth: Auth, identity: SignedIn, device_id: str) -> Response:
    """Forget a browser, and end what is signed in on it, but for this session."""
    if not await auth.forget_device(identity.user_id, device_id):
        raise HTTPException(404, "You have no such browser.")
    for session in await auth.list_sessions(identity.user_id):
        if session.device_id == device_id and session.id != identity.session_id:
            await auth.revoke_session(identity.user_id, session.id)
    return see_other("/sessions")
