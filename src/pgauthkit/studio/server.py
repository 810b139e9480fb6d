"""`Studio`: the application on a port of the loopback, with the address to open."""

import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn
from sqlalchemy import Engine, Table, inspect

from pgauthkit.database.engine import create_engine
from pgauthkit.database.sessions import check_engine
from pgauthkit.database.unavailable import translated
from pgauthkit.errors import ConfigError
from pgauthkit.studio.application import create_app

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = ["PORT", "Studio"]

PORT: Final = 5555
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


class Studio:
    """The studio on a database. It listens from the start, and answers from `serve()` on.

    Args:
        target: an engine, or a `postgresql://` URL.
        models: the mapped classes to show, as `pgauthkit.ops.project.mapped.mapped_classes` gives them.
        host: an address of the loopback: anyone who can reach the port can read the database.
        port: 0 for a free one.
        write: whether rows may be changed.

    Attributes:
        url: the address to open, with a token that is good once.
        left_out: the classes whose table the database does not have; they are not shown.

    Raises:
        ConfigError: the target is neither an engine nor a URL; the host is not of the loopback, or the port is taken.
        DatabaseUnavailableError: the database cannot be reached.

    Example:
        >>> studio = Studio("postgresql://localhost/blog", mapped_classes("blog.models:Base"))  # doctest: +SKIP
        >>> print(studio.url)  # doctest: +SKIP
        http://127.0.0.1:5555/?token=…
        >>> studio.serve()  # doctest: +SKIP
    """

    def __init__(
        self,
        target: Engine | str,
        models: Sequence[type[Any]],
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
        write: bool = False,
    ) -> None:
        token = secrets.token_urlsafe(32)
        with ExitStack() as undone:
            self._socket: Final = undone.enter_context(_listen(host, port))
            engine = target
            if isinstance(engine, str):
                engine = create_engine(engine)
                undone.callback(engine.dispose)
            check_engine(engine, ", or a postgresql:// URL as text", name="target")
            shown = _existing(engine, models)
            self._resources: Final = undone.pop_all()
        self.left_out: Final = tuple(model for model in models if model not in shown)
        app = create_app(engine, shown, token=token, write=write, host=host)
        # No access log: it would print the token. No proxy's headers: there is no proxy.
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            lifespan="off",
            ws="none",
        )
        self._server: Final = uvicorn.Server(config)
        shown_host = f"[{host}]" if ":" in host else host
        self.url: Final = f"http://{shown_host}:{self._socket.getsockname()[1]}/?token={token}"

    def serve(self) -> None:
        """Answer until `stop()` is called from another thread, or the process is interrupted."""
        with self._resources:
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let `serve()` return, once the requests in flight are answered."""
        self._server.should_exit = True


def _existing(engine: Engine, models: Sequence[type[Any]]) -> list[type[Any]]:
    with translated(engine.url), engine.connect() as connection:
        found = inspect(connection)
        return [
            model
            for model in models
            if all(found.has_table(table.name, schema=table.schema) for table in _tables(model))
        ]


def _tables(model: type[Any]) -> Sequence[Table]:
    mapper: Mapper[Any] = inspect(model)
    return cast("Sequence[Table]", mapper.tables)


def _listen(host: str, port: int) -> socket.socket:
    try:
        address = ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise ConfigError([f"host: {host} is not an address of the loopback, such as 127.0.0.1 or ::1."])
    try:
        return socket.create_server((str(address), port), family=_FAMILIES[address.version])
    except OSError as error:
        raise ConfigError([f"port: cannot listen on {host}:{port}: {error.strerror}. Give another --port."]) from error
