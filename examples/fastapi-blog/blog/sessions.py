"""The page of one's own sessions."""

from fastapi import APIRouter, HTTPException, Request, Response

from blog.dependencies import Auth, SignedIn
from blog.pages import page, see_other

__all__ = ["router"]

router = APIRouter(prefix="/sessions")


@router.get("")
async def show(request: Request, auth: Auth, identity: SignedIn) -> Response:
    """List where one is signed in."""
    return page(request, "sessions", identity=identity, sessions=await auth.list_sessions(identity.user_id))


@router.post("/{session_id}/revoke")
async def revoke(auth: Auth, identity: SignedIn, session_id: str) -> Response:
    """End one; nobody can end another's, because the id is looked for among one's own."""
    if not await auth.revoke_session(identity.user_id, session_id):
        raise HTTPException(404, "You have no such session.")
    return see_other("/sessions")
