"""What every async part stands on: the synchronous service, which does the work."""

from pgauthkit.aio.authentication import AwaitedService

__all__ = ["AsyncService"]


class AsyncService:
    """The base of the parts that `AsyncAuthService` is put together from."""

    def __init__(self, service: AwaitedService) -> None:
        self._service = service
