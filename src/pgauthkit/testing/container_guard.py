"""Removes a container when the process that started it is gone; run as a program of its own."""

import sys

__all__ = ["main", "remove"]


def remove(container_id: str) -> None:
    """Remove a container with its volumes, running or not; nothing where it is gone already."""
    from docker.errors import NotFound  # type: ignore[import-untyped]  # noqa: PLC0415 - half a second that a guard need not spend before its time
    from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415 - the same

    client = DockerClient().client
    try:
        client.api.remove_container(container_id, force=True, v=True)
    except NotFound:
        pass
    finally:
        client.close()


def main(container_id: str) -> None:
    """Wait until standard input ends, which the system sees to when its writer is gone; then remove the container."""
    sys.stdin.buffer.read()
    remove(container_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
