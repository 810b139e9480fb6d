"""The browsers that somebody has signed in on: list them, forget one."""

from flask import Blueprint, abort, redirect, render_template
from werkzeug import Response

from notes.identity import current
from notes.parts import parts
from pgauthkit.browser import browser_of

__all__ = ["blueprint"]

blueprint = Blueprint("devices", __name__, url_prefix="/devices")


@blueprint.get("")
def show() -> str:
    """List them. What a browser calls itself is shown as a name out of a fixed list."""
    who = current()
    auth = parts().auth
    here = next((one.device_id for one in auth.list_sessions(who.user_id) if one.id == who.session_id), None)
    devices = [(device, browser_of(device.user_agent)) for device in auth.list_devices(who.user_id)]
    return render_template("devices.html", devices=devices, here=here)


@blueprint.post("/<device_id>/forget")
def forget(device_id: str) -> Response:
    """Forget one, and end what is signed in on it, but for this session."""
    who = current()
    auth = parts().auth
    if not auth.forget_device(who.user_id, device_id):
        abort(404)
    for session in auth.list_sessions(who.user_id):
        if session.device_id == device_id and session.id != who.session_id:
            auth.revoke_session(who.user_id, session.id)
    return redirect("/devices", 303)
