"""A node: a PostgreSQL server, and the Patroni that decides whether it is the primary."""

import json
import signal
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psycopg
from tests.cluster.programs import PATH, Program, children_of, send

from pgauthkit.database.account import Account

# How long the lease of a leader lasts, in seconds: Patroni's default. It is renewed every LOOP seconds at the latest.
LEASE: Final = 30
LOOP: Final = 5
SETTINGS: Final = {
    "max_connections": 100,
    "shared_buffers": "24MB",
    "max_wal_size": "256MB",
    "wal_keep_size": "64MB",
    "jit": "off",
    # What makes no difference here, and takes time of a small machine.
    "autovacuum_naptime": "10min",
    "full_page_writes": "on",
}
HBA: Final = ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]


class Node:
    """One of the servers.

    Args:
        name: Patroni's name for it.
        folder: where its files are.
        binaries: the directory of PostgreSQL's programs.
        account: who runs it.
        ports: those of PostgreSQL, of Patroni, and of etcd.
    """

    def __init__(self, name: str, folder: Path, binaries: Path, account: Account, ports: tuple[int, int, int]) -> None:
        self.name = name
        self.port, self.check_port, _ = ports
        self._data = folder / "data"
        account.make_private(folder)
        path = folder / "patroni.json"  # which is YAML as well
        path.write_text(json.dumps(self._settings(binaries, folder, ports[2]), indent=1))
        account.give(path)
        patroni = Path(sys.executable).with_name("patroni")
        self.log = folder / "log"
        is_open = all(map(account.can_enter, (patroni, Path(sys.executable).resolve())))
        self._patroni = Program(
            patroni, path, account=account, log=self.log, may_read_all=not is_open, path=f"{binaries}:{PATH}"
        )
        self._frozen: list[int] = []
        self._watched: psycopg.Connection[tuple[Any, ...]] | None = None

    def _settings(self, binaries: Path, folder: Path, etcd: int) -> dict[str, Any]:
        user = {"username": "postgres", "password": "unused"}
        address, check = f"127.0.0.1:{self.port}", f"127.0.0.1:{self.check_port}"
        timing = {"ttl": LEASE, "loop_wait": LOOP, "retry_timeout": LOOP, "maximum_lag_on_failover": 1_048_576}
        server = {"use_pg_rewind": True, "use_slots": True, "parameters": SETTINGS, "pg_hba": HBA}
        return {
            "scope": "pgauthkit",
            "name": self.name,
            "restapi": {"listen": check, "connect_address": check},
            "etcd3": {"host": f"127.0.0.1:{etcd}"},
            "bootstrap": {"dcs": {**timing, "postgresql": server}, "initdb": [{"encoding": "UTF8"}, "data-checksums"]},
            "postgresql": {
                "listen": address,
                "connect_address": address,
                "data_dir": str(self._data),
                "bin_dir": str(binaries),
                "pgpass": str(folder / "pgpass"),
                "authentication": {"superuser": user, "replication": user, "rewind": user},
                "parameters": {"unix_socket_directories": str(folder)},
                "pg_hba": HBA,
            },
        }

    def start(self) -> None:
        """Start Patroni, which starts PostgreSQL when it knows as what."""
        self._patroni.start()

    def answers(self, question: str) -> bool:
        """Say whether Patroni answers a question, such as `/primary`, with yes."""
        with suppress(OSError):
            return bool(self.ask(question))
        return False

    def ask(self, question: str, **body: object) -> Any:  # noqa: ANN401 - JSON
        """Ask Patroni, or tell it something, by its REST API.

        https://patroni.readthedocs.io/en/latest/rest_api.html
        """
        method = {"/switchover": "POST", "/config": "PATCH"}.get(question, "GET")
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.check_port}{question}", json.dumps(body).encode() if body else None, method=method
        )
        with urllib.request.urlopen(request, timeout=60 if body else 1) as answer:  # noqa: S310 - the same
            text = answer.read().decode()
        return json.loads(text) if text.startswith(("{", "[")) else text

    def takes_writes(self) -> bool:
        """Ask PostgreSQL itself: Patroni calls a node the primary some moments before it is one."""
        with suppress(psycopg.OperationalError):
            if self._watched is None or self._watched.closed:
                url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
                self._watched = psycopg.connect(url, autocommit=True, connect_timeout=2)
            return self._watched.execute("SELECT NOT pg_is_in_recovery()").fetchone() == (True,)
        return False

    def kill(self) -> None:
        """Let the machine lose its power: everything ends at once, without a word."""
        if self._watched is not None:
            self._watched.close()
        self._patroni.kill()
        while pids := self._postgres():
            send(signal.SIGKILL, pids)
            self._data.joinpath("postmaster.pid").unlink(missing_ok=True)

    def freeze(self) -> None:
        """Let the machine stand still: its kernel still accepts connections, and nobody answers."""
        if self._watched is not None:
            self._watched.close()
        send(signal.SIGSTOP, [self._patroni.pid])
        while new := [pid for pid in self._postgres() if pid not in self._frozen]:
            send(signal.SIGSTOP, new)
            self._frozen += new

    def thaw_server(self) -> None:
        """Let PostgreSQL go on, as the primary that it takes itself for."""
        send(signal.SIGCONT, self._frozen)
        self._frozen = []

    def thaw_patroni(self) -> None:
        """Let Patroni go on, which then knows that its lease is over."""
        send(signal.SIGCONT, [self._patroni.pid])

    def _postgres(self) -> list[int]:
        with suppress(FileNotFoundError):
            postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
            return [postmaster, *children_of(postmaster)]
        return []
