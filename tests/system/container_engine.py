"""Runs a command where podman answers as Docker does, with the image `postgres:16`; all of it ends with the command.

    python container_engine.py DIRECTORY COMMAND ARGUMENT…

DIRECTORY keeps the image for the next time. It is made without a registry, of a shell, the PostgreSQL of the wheel, and
the libraries of both. Needs Linux, root, and the Debian packages busybox-static, containernetworking-plugins, crun,
iptables, iproute2 and podman. Mounts, network and processes are in namespaces of their own: the command's network is
its containers and itself.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pgauthkit.database.binaries import copy_binaries, find_binaries

IMAGE: Final = "localhost/postgres:16"
INSIDE: Final = "--inside"
NAMESPACES: Final = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
# podman's own records, which are not to be found on the host afterwards.
RECORDS: Final = ("/run/crun", "/run/libpod", "/run/netns", "/var/lib/cni", "/var/lib/containers")
PATIENCE: Final = 120.0  # seconds


USER: Final = 999  # as in the official image
DATA: Final = "/var/lib/postgresql/data"
# What the official entry point does with the variables that are used here.
ENTRY_POINT: Final = """#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?must be set}"
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D "$PGDATA" -U postgres --pwfile=/tmp/password --auth=scram-sha-256 -E UTF8 --locale=C --no-sync
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  rm /tmp/password
fi
exec "$@" -c listen_addresses='*'
"""


def _limit(kind: int, most: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return most if hard == resource.RLIM_INFINITY else min(hard, most)


def configure(directory: Path) -> None:
    """Write podman's settings, and tell them to podman and testcontainers by the environment.

    Containers get the limits and the cgroup of the caller, because a caller that is confined itself cannot raise them;
    and an `exec` is forgotten after a second, not after five minutes.
    """
    files, processes = _limit(resource.RLIMIT_NOFILE, 1048576), _limit(resource.RLIMIT_NPROC, 32768)
    settings = f"""
        [containers]
        cgroups = "disabled"
        log_driver = "k8s-file"
        default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
        [engine]
        runtime = "crun"
        cgroup_manager = "cgroupfs"
        events_logger = "file"
        exit_command_delay = 1
    """
    store = f"""
        [storage]
        driver = "overlay"
        graphroot = "{directory}/store"
        runroot = "{directory}/run"
    """
    for name, text in (("CONTAINERS_CONF", settings), ("CONTAINERS_STORAGE_CONF", store)):
        path = directory / f"{name.lower()}.toml"
        path.write_text(text)
        os.environ[name] = str(path)
    os.environ["DOCKER_HOST"] = f"unix://{directory}/engine.sock"
    # No registry, so no Ryuk; and a machine that is a container itself is still where the ports are.
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
    os.environ["TESTCONTAINERS_CONNECTION_MODE"] = "docker_host"


def isolate() -> None:
    """Make the namespaces fit for podman."""
    run = subprocess.check_call
    run(["ip", "link", "set", "lo", "up"])
    for place in filter(os.path.isdir, RECORDS):
        run(["mount", "-t", "tmpfs", "tmpfs", place])
    if os.path.ismount("/sys/fs/cgroup/unified"):
        run(["umount", "/sys/fs/cgroup/unified"])


def make_root(root: Path) -> Path:
    """Make the files of the image below a new directory, and return where PostgreSQL's programs are in it."""
    for name in ("bin", "etc", "dev", "proc", "sys", "tmp", "run", "var/lib/postgresql"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    busybox = shutil.which("busybox")
    assert busybox, "the Debian package busybox-static is missing"
    shutil.copy(busybox, root / "bin/sh")
    for name in ("cat", "echo", "printf", "rm"):
        (root / "bin" / name).symlink_to("sh")
    (root / "etc/passwd").write_text(f"postgres:x:{USER}:{USER}::/var/lib/postgresql:/bin/sh\n")
    (root / "etc/group").write_text(f"postgres:x:{USER}:\n")
    os.chown(root / "var/lib/postgresql", USER, USER)
    (root / "entry-point.sh").write_text(ENTRY_POINT)
    (root / "entry-point.sh").chmod(0o755)
    programs = copy_binaries(find_binaries(16), root / "opt")
    for program in ("postgres", "initdb"):
        _copy_libraries(programs / program, root)
    return programs


def _copy_libraries(program: Path, root: Path) -> None:
    found = subprocess.run(["ldd", program], check=True, capture_output=True, text=True)  # noqa: S607 - of libc's package
    for path in re.findall(r"(/\S+) \(0x", found.stdout):
        target = root / path.lstrip("/")
        if not Path(path).is_relative_to(root) and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def import_image(directory: Path, name: str) -> None:
    """Make the image in podman's store."""
    root = directory / "root"
    programs = make_root(root)
    changes = [
        'ENTRYPOINT ["/entry-point.sh"]',
        'CMD ["postgres"]',
        "EXPOSE 5432",
        f"ENV PATH=/{programs.relative_to(root)}:/bin",
        f"ENV PGDATA={DATA}",
        f"USER {USER}",
        "STOPSIGNAL SIGINT",
    ]
    options = [option for change in changes for option in ("--change", change)]
    archive = directory / "root.tar"
    subprocess.run(["tar", "-C", root, "--numeric-owner", "-cf", archive, "."], check=True)  # noqa: S607 - of every Debian
    subprocess.run(["podman", "import", "--quiet", *options, archive, name], check=True)  # noqa: S607 - of Debian
    shutil.rmtree(root)
    archive.unlink()


@contextmanager
def engine(directory: Path) -> Generator[None]:
    """Serve Docker's API."""
    log = directory / "engine.log"
    with log.open("wb") as output:
        service = subprocess.Popen(
            ["podman", "system", "service", "--time=0", os.environ["DOCKER_HOST"]],  # noqa: S607 - of Debian
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not (directory / "engine.sock").exists():
            if service.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"The container engine could not be started:\n{log.read_text()}")
            time.sleep(0.1)
        yield
    finally:
        subprocess.call(["podman", "rm", "--all", "--force", "--time=0"], stdout=subprocess.DEVNULL)  # noqa: S607 - of Debian
        service.terminate()
        service.wait()


def main(directory: str, *command: str) -> int:
    """Do what the module says; in the namespaces."""
    place = Path(directory).resolve()
    place.mkdir(parents=True, exist_ok=True)
    (place / "engine.sock").unlink(missing_ok=True)
    configure(place)
    isolate()
    if subprocess.call(["podman", "image", "exists", IMAGE]):  # noqa: S607 - of Debian
        import_image(place, IMAGE)
    with engine(place):
        return subprocess.call(command)


if __name__ == "__main__":
    if sys.argv[1] == INSIDE:
        sys.exit(main(*sys.argv[2:]))
    program = ["unshare", *NAMESPACES, sys.executable, __file__, INSIDE, *sys.argv[1:]]
    os.execvp("unshare", program)  # noqa: S606, S607 - of Debian
