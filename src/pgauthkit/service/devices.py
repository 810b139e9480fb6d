"""Known devices: list, forget."""

import attrs

from pgauthkit.identifiers import is_storable
from pgauthkit.service.base import Service
from pgauthkit.statements import devices as statements
from pgauthkit.values import DeviceInfo

__all__ = ["Devices"]


class Devices(Service):
    """What `AuthService` does with the browsers that users have signed in on."""

    def list_devices(self, user_id: str) -> list[DeviceInfo]:
        """Return the known devices of a user, those that they signed in on last first. One read.

        Example:
            >>> [device.user_agent for device in auth.list_devices(identity.user_id)]  # doctest: +SKIP
        """
        rows = self._rows(statements.LIST_DEVICES, user_id=user_id) if is_storable(user_id) else []
        fields = attrs.fields_dict(DeviceInfo)
        return [DeviceInfo(**dict(zip(fields, row, strict=True))) for row in rows]

    def forget_device(self, user_id: str, device_id: str) -> bool:
        """Make a browser a stranger's again; tell whether it was a device of the user. One statement.

        Its sessions go on: to end them as well, pass those of `list_sessions` with this `device_id` to
        `revoke_session`.

        Example:
            >>> auth.forget_device(identity.user_id, device_id)  # doctest: +SKIP
            True
        """
        if not (is_storable(user_id) and is_storable(device_id)):
            return False
        is_gone = bool(self._rows(statements.FORGET_DEVICE, user_id=user_id, device_id=device_id))
        if is_gone:
            self._audit.tell("device_forgotten", user_id=user_id, device_id=device_id)
        return is_gone
