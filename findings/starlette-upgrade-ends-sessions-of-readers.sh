#!/usr/bin/env bash
# starlette 0.52.1 and 1.10.0, itsdangerous 2.2.0, httpx 0.28.1, Python 3.11
#
# Guess: a session lasts `max_age` from the last visit, in every release: each response gives the cookie out again.
# Behaviour: Up to 0.52 each response does. Since 1.0 only one does during which the session was changed, so max_age counts from the
#   last change, which is the sign-in for most: who comes every day, and only reads, is signed out after two weeks (the default).
#   The cookie looks the same, and a test that does not move the clock sees nothing. Writing a value of its own, such as the day of
#   the visit, into the session brings the old rule back.
# Output seen:
#   0.52.1, a visit each day, on day 20: anna
#   1.10.0, a visit each day, on day 20: nobody
#   1.10.0, a visit each day that writes the day, on day 20: anna
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/seen.py" <<'PYTHON'
import time
from importlib.metadata import version
from unittest import mock

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient


async def sign_in(request):
    request.session["user"] = "anna"
    return PlainTextResponse("")


async def read(request):
    return PlainTextResponse(request.session.get("user", "nobody"))


async def write(request):
    if "user" in request.session:
        request.session["seen"] = int(time.time()) // 86_400
    return await read(request)


routes = [Route("/sign-in", sign_in), Route("/read", read), Route("/write", write)]
app = Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, secret_key="for this test alone")])
start = time.time()
for path, words in (("/read", ""), ("/write", " that writes the day")):
    client = TestClient(app)
    for day in range(21):
        with mock.patch("time.time", lambda day=day: start + day * 86_400):
            if day == 0:
                client.get("/sign-in")
            who = client.get(path).text
    print(f"{version('starlette')}, a visit each day{words}, on day 20: {who}")
PYTHON
for release in 0.52.1 1.10.0; do
  python3 -m venv "$folder/$release"
  "$folder/$release/bin/pip" install --quiet "starlette==$release" "itsdangerous==2.2.0" "httpx==0.28.1"
  "$folder/$release/bin/python" -W ignore "$folder/seen.py" >>"$folder/seen"
done
sed -i '/^0.52.1.* that writes/d' "$folder/seen"
diff "$folder/seen" - <<'SEEN'
0.52.1, a visit each day, on day 20: anna
1.10.0, a visit each day, on day 20: nobody
1.10.0, a visit each day that writes the day, on day 20: anna
SEEN
