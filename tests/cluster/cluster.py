"""A cluster on 127.0.0.1: etcd, three nodes, HAProxy before them, and PgBouncer before that."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg
from tests.cluster.nodes import Node
from tests.cluster.programs import Program, free_ports, is_listening, wait_until

from pgauthkit.database.account import find_account
from pgauthkit.database.binaries import find_binaries, prepare_binaries

CALL_TIMEOUT: Final = 5  # seconds
CONNECT_TIMEOUT: Final = 2  # seconds for each host: the least that libpq takes
HAPROXY: Final = """
global
  maxconn 400
defaults
  mode tcp
  retries 0
  timeout connect 4s
  timeout client 30m
  timeout server 30m
  timeout check 2s
listen primary
  bind 127.0.0.1:{port}
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 500ms fastinter 250ms downinter 250ms fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""
# As docs/how-to/pooling.md has it for a failover.
PGBOUNCER: Final = """
[databases]
app = host={host} port={server} dbname=app user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
server_login_retry = 0.2
server_connect_timeout = 3
query_wait_timeout = 10
server_fast_close = 1
"""


class Cluster:
    """The whole of it, until `stop`."""

    def __init__(self) -> None:
        self._account = find_account()
        self._folder = Path(tempfile.mkdtemp(prefix="pgak-cluster-"))
        self._account.let_in(self._folder)
        binaries = prepare_binaries(find_binaries(16), account=self._account, spare=self._folder / "binaries")
        ports = free_ports()
        etcd, peer, self._haproxy_port, self._pgbouncer_port = (next(ports) for _ in range(4))
        self._etcd = self._make_etcd(etcd, peer)
        self.nodes = [
            Node(f"n{number}", self._folder / f"n{number}", binaries, self._account, (next(ports), next(ports), etcd))
            for number in (1, 2, 3)
        ]
        servers = [f"  server {node.name} 127.0.0.1:{node.port} check port {node.check_port}" for node in self.nodes]
        haproxy = HAPROXY.format(port=self._haproxy_port, servers="\n".join(servers))
        pgbouncer = PGBOUNCER.format(port=self._pgbouncer_port, host="127.0.0.1", server=self._haproxy_port)
        self._proxies = [
            self._program("haproxy", "-db", "-f", self._write("haproxy.cfg", haproxy)),
            self._program("pgbouncer", "-q", self._write("pgbouncer.ini", pgbouncer)),
        ]

    def routes(self, database: str = "app") -> dict[str, str]:
        """Return the ways to a database, by their names; PgBouncer has `app` only.

        Connections are replaced all the time, so that each way is asked for the primary again and again.
        """
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        several = f"target_session_attrs=read-write&connect_timeout={CONNECT_TIMEOUT}"
        common = f"call_timeout={CALL_TIMEOUT}&pool_recycle=1"
        return {
            "several hosts": f"postgresql://postgres@{hosts}/{database}?{several}&{common}",
            "HAProxy": f"postgresql://postgres@127.0.0.1:{self._haproxy_port}/{database}?{common}",
            "PgBouncer": f"postgresql://postgres@127.0.0.1:{self._pgbouncer_port}/{database}?pgbouncer=true&{common}",
        }

    def proxy(self, database: str) -> str:
        """Return the way to a database through HAProxy, with nothing in it that is not libpq's."""
        return self.routes(database)["HAProxy"].partition("?")[0]

    def start(self) -> "Cluster":
        """Start everything, the first node first: it makes the database."""
        self._etcd.start()
        first, *others = self.nodes
        first.start()
        for proxy in self._proxies:
            proxy.start()
        wait_until(lambda: first.answers("/primary"), f"the first node is the primary: {first.log}")
        for node in others:
            node.start()
        self.settle()
        with self.connection("postgres") as connection:
            connection.execute("CREATE DATABASE app")
        wait_until(lambda: is_listening(self._pgbouncer_port), "PgBouncer is there")
        return self

    def stop(self) -> None:
        """Stop everything, and delete its files."""
        for program in reversed(self._proxies):
            program.end()
        for node in self.nodes:
            node.kill()
        self._etcd.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def leader(self) -> Node:
        """Return the primary, when there is one."""
        wait_until(lambda: any(node.answers("/primary") for node in self.nodes), "there is a primary")
        return next(node for node in self.nodes if node.answers("/primary"))

    def settle(self, *, synchronous: bool | None = None) -> None:
        """Wait until every node follows the primary, and HAProxy knows it; before it, switch `synchronous_mode`."""
        if synchronous is not None:
            self.leader().ask("/config", synchronous_mode=synchronous)
        wait_until(lambda: self._is_whole(synchronous=synchronous), "three nodes follow one another", patience=120)
        wait_until(self._is_reachable, "HAProxy has a primary")

    def _is_whole(self, *, synchronous: bool | None) -> bool:
        with suppress(OSError):
            members = self.nodes[0].ask("/cluster")["members"]
            roles = sorted(member["role"] for member in members)
            states = sorted(member["state"] for member in members)
            expected = {True: ["leader", "replica", "sync_standby"], False: ["leader", "replica", "replica"]}
            wanted = [expected[synchronous]] if synchronous is not None else list(expected.values())
            lines = {member.get("timeline") for member in members}
            return roles in wanted and states == ["running", "streaming", "streaming"] and len(lines) == 1
        return False

    def _is_reachable(self) -> bool:
        with suppress(psycopg.OperationalError), self.connection("postgres") as connection:
            return connection.execute("SELECT NOT pg_is_in_recovery()").fetchone() == (True,)
        return False

    @contextmanager
    def connection(self, database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Connect to the primary, through HAProxy."""
        with psycopg.connect(self.proxy(database), autocommit=True, connect_timeout=4) as connection:
            yield connection

    def _make_etcd(self, port: int, peer: int) -> Program:
        data = self._folder / "etcd"
        self._account.make_private(data)
        client, between = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
        return self._program(
            "etcd",
            f"--data-dir={data}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={between}",
            f"--initial-advertise-peer-urls={between}",
            f"--initial-cluster=default={between}",
            "--log-level=error",
        )

    def _program(self, *command: str | Path) -> Program:
        return Program(*command, account=self._account, log=self._folder / f"{command[0]}.log")

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        self._account.give(path)
        return path
