"""Known devices, awaited."""

from pgauthkit.aio.base import AsyncService
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.values import DeviceInfo

__all__ = ["AsyncDevices"]


class AsyncDevices(AsyncService):
    """The twin of `pgauthkit.service.devices.Devices`."""

    async def list_devices(self, user_id: str) -> list[DeviceInfo]:
        """Return the known devices of a user: see `AuthService.list_devices`."""
        return await in_greenlet(self._service.list_devices, user_id)

    async def forget_device(self, user_id: str, device_id: str) -> bool:
        """Make a browser a stranger's again: see `AuthService.forget_device`."""
        return await in_greenlet(self._service.forget_device, user_id, device_id)
