"""Signing in and out: ask for a link, look at it, use it."""

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from notes.cookies import ACCESS, BINDING, DEVICE, clear_tokens, set_asked, set_signed_in
from notes.identity import client
from notes.parts import parts
from pgauthkit.errors import AuthenticationError, InvalidEmailError, InvalidRedirectError, RateLimitedError

__all__ = ["blueprint"]

blueprint = Blueprint("sign_in", __name__)


@blueprint.get("/sign-in")
def ask() -> str:
    """Show the form."""
    return render_template("sign_in.html", following=request.args.get("following", "/"))


@blueprint.post("/sign-in")
def request_link() -> tuple[str, int] | Response:
    """Make a link for this browser, and mail it. The answer is the same for every address.

    With the cookie that the browser has already, as for "send it again", the mails sent before stay good.
    """
    following, ours = request.form.get("following", "/"), request.cookies
    try:
        link = parts().auth.request_magic_link(
            request.form.get("email", ""),
            redirect_to=following,
            bind=ours.get(BINDING) or True,
            device=ours.get(DEVICE),
            **client(),
        )
    except (InvalidEmailError, InvalidRedirectError) as error:
        return render_template("sign_in.html", following="/", problem=error), 400
    except RateLimitedError as error:
        return render_template("sign_in.html", following=following, problem=error), 429
    if link.should_send:
        url = link.url(parts().base_url + url_for("sign_in.look"))
        parts().mailer.send(link.email, "Sign in to your notes", f"{url}\n\nThe link works once, for ten minutes.")
    return set_asked(make_response(render_template("sent.html", email=link.email, following=following)), link)


@blueprint.get("/confirm")
def look() -> tuple[str, int] | str:
    """Show whose link it is. Mail scanners open this page too, so it changes nothing."""
    token = request.args.get("token", "")
    try:
        preview = parts().auth.peek_magic_link(token)
    except AuthenticationError as error:
        return render_template("refused.html", problem=error), 400
    return render_template("confirm.html", email=preview.email, token=token)


@blueprint.post("/confirm")
def confirm() -> tuple[str, int] | Response:
    """Use the link, once; where the button is pressed twice, both answers sign in."""
    token, ours = request.form.get("token", ""), request.cookies
    try:
        signed_in = parts().auth.verify_magic_link(
            token, binding=ours.get(BINDING), device=ours.get(DEVICE), **client()
        )
    except AuthenticationError as error:
        return render_template("refused.html", problem=error), 400
    return set_signed_in(make_response(redirect(signed_in.redirect_to or "/", 303)), signed_in)


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """End this session. The browser stays one that is known."""
    try:
        parts().auth.sign_out(request.cookies.get(ACCESS, ""))
    except AuthenticationError:
        pass  # There was none.
    return clear_tokens(make_response(redirect("/sign-in", 303)))
