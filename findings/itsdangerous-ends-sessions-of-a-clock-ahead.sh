#!/usr/bin/env bash
# itsdangerous 2.2.0, Starlette 1.10.0, Python 3.11
#
# Guess: a signed value that another machine made is refused when it is older than max_age. Whether the clock that signed it was a
#   few seconds ahead makes no difference.
# Behaviour: A negative age is refused as well, with SignatureExpired, and without any tolerance: a clock that is two seconds
#   ahead of another is enough. Without max_age the value is accepted. Starlette's SessionMiddleware takes it for a session that has
#   ended: behind a load balancer the redirect after a sign-in arrives signed out, now and then. What such a request writes
#   replaces the cookie, so the sign-in is lost, and does not come back with time.
# Output seen:
#   {} accepted
#   {'max_age': 3600} SignatureExpired: Signature age -2 < 0 seconds
#   signed in two seconds ahead, and read there: {'user': 'anna'}
#   at a machine whose clock is right: {}
#   a minute later: {'theme': 'dark'}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "itsdangerous==2.2.0" "starlette==1.10.0"
"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
import asyncio
import time
from unittest import mock

from itsdangerous import SignatureExpired, TimestampSigner
from starlette.middleware.sessions import SessionMiddleware

NOW = int(time.time())
signer = TimestampSigner("secret")

def at(seconds: float):
    return mock.patch("time.time", lambda: NOW + seconds)

with at(2):
    value = signer.sign("anna")
for asked in ({}, {"max_age": 3600}):
    with at(0):
        try:
            print(asked, "accepted" if signer.unsign(value, **asked) else None)
        except SignatureExpired as error:
            print(asked, f"SignatureExpired: {error}")

async def ask(seconds: int, cookie: bytes, **written: str) -> tuple[dict, bytes]:
    seen, sent = {}, [cookie]

    async def application(scope, receive, send):
        seen.update(scope["session"])
        scope["session"].update(written)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.extend(value.split(b";")[0] for name, value in message["headers"] if name == b"set-cookie")

    scope = {"type": "http", "headers": [(b"cookie", cookie)], "path": "/", "root_path": ""}
    with at(seconds):
        await SessionMiddleware(application, "secret")(scope, None, send)
    return seen, sent[-1]

async def main() -> None:
    _, cookie = await ask(2, b"", user="anna")
    seen, cookie = await ask(2, cookie)
    print("signed in two seconds ahead, and read there:", seen)
    seen, cookie = await ask(0, cookie, theme="dark")
    print("at a machine whose clock is right:", seen)
    seen, cookie = await ask(60, cookie)
    print("a minute later:", seen)

asyncio.run(main())
PYTHON
diff "$folder/seen" - <<'SEEN'
{} accepted
{'max_age': 3600} SignatureExpired: Signature age -2 < 0 seconds
signed in two seconds ahead, and read there: {'user': 'anna'}
at a machine whose clock is right: {}
a minute later: {'theme': 'dark'}
SEEN
