"""A container engine to talk to: Docker's HTTP API, and behind it PostgreSQL without a container."""

import json
import re
import socketserver
import tempfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final, cast

import attrs
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from pgauthkit.database.embedded import EmbeddedPostgres

VERSION: Final = {"ApiVersion": "1.41", "MinAPIVersion": "1.24", "Version": "20.10"}
KNOWN_IMAGES: Final = {"postgres:16", "broken:1", "deaf:1"}
LOOKS: Final = 8  # at a deaf container, before it ends


@attrs.define
class Engine:
    """What the engine has; https://docs.docker.com/engine/api/v1.41/ says what it is asked.

    Attributes:
        socket: where it listens.
        made: the images of all containers that were made.
        running: the ports of those that run, by their ids.
        stubborn: whether it refuses to remove a container.
        looks: how often it was asked how a container is.
    """

    socket: Path
    server: EmbeddedPostgres
    made: list[str] = attrs.field(factory=list)
    running: dict[str, str | None] = attrs.field(factory=dict)
    stubborn: bool = False
    looks: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which testcontainers finds it."""
        return {
            "DOCKER_HOST": f"unix://{self.socket}",
            "TESTCONTAINERS_RYUK_DISABLED": "true",
            "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
        }

    def create(self, image: str, environment: list[str]) -> dict[str, str]:
        """Make a container: here, give the superuser its password."""
        password = dict(each.split("=", 1) for each in environment)["POSTGRES_PASSWORD"]
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(password))
        self.made.append(image)
        name = f"c{len(self.made)}"
        port = make_url(self.server.url()).port
        self.running[name] = {"broken:1": None, "deaf:1": "1"}.get(image, str(port))
        return {"Id": name}

    def inspect(self, name: str) -> dict[str, Any]:
        """Tell how a container is."""
        port = self.running[name]
        self.looks += 1
        status = "running" if port and (port != "1" or self.looks < LOOKS) else "exited"
        ports = {"5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}]} if port else {}
        return {"Id": name, "State": {"Status": status}, "Config": {"Tty": True}, "NetworkSettings": {"Ports": ports}}


class Docker(socketserver.ThreadingUnixStreamServer):
    """Serves an engine."""

    daemon_threads = True
    engine: Engine


class Answers(BaseHTTPRequestHandler):
    """The requests that docker-py makes for a container's life."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        engine = cast("Docker", self.server).engine
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        path = re.sub(r"^/v[\d.]+|\?.*", "", self.path)
        status, answer = _route(engine, f"{method} {path}", body)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _route(  # noqa: PLR0911 - one for each request
    engine: Engine, request: str, body: Mapping[str, Any]
) -> tuple[int, object]:
    match request.split("/"):
        case ["GET ", "version"]:
            return 200, VERSION
        case ["GET ", "images", name, "json"] if name in KNOWN_IMAGES:
            return 200, {"Id": name}
        case ["POST ", "containers", "create"]:
            return 201, engine.create(body["Image"], body["Env"])
        case ["POST ", "containers", _, "start"]:
            return 204, None
        case ["GET ", "containers", name, "json"]:
            return 200, engine.inspect(name)
        case ["GET ", "containers", _, "logs"]:
            return 200, "the log of the container"
        case ["DELETE ", "containers", _] if engine.stubborn:
            return 500, {"message": "I will not."}
        case ["DELETE ", "containers", name] if name in engine.running:
            del engine.running[name]
            return 204, None
        case _:
            return 404, {"message": f"no such thing: {request}"}


@pytest.fixture
def docker() -> Iterator[Engine]:
    """An engine that answers, at a path that is short enough for a socket, wherever pytest has its directories."""
    with (
        tempfile.TemporaryDirectory(prefix="pgak-", dir="/tmp") as folder,
        EmbeddedPostgres(tcp=True) as server,
        Docker(str(socket := Path(folder) / "docker.sock"), Answers) as serving,
    ):
        serving.engine = Engine(socket, server)
        thread = threading.Thread(target=serving.serve_forever, args=[0.05])
        thread.start()
        yield serving.engine
        serving.shutdown()
        thread.join()
