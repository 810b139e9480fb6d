"""Fields for columns of the types that we show, ask for or read otherwise than starlette-admin does."""

import json
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette_admin import BooleanField, DateTimeField, StringField
from starlette_admin.fields import DateField, TextAreaField, TimeField
from starlette_admin.types import RequestAction

from pgauthkit.studio.cells import EDITED, SHOWN, Untouched, cut
from pgauthkit.studio.unread import Unread

__all__ = ["BinaryField", "ClockField", "DayField", "DocumentField", "FlagField", "MomentField", "TextField"]

_EMPTY = ":empty"


@dataclass
class BinaryField(StringField):
    """Bytes, shown as hexadecimal digits, and not to be edited."""

    async def parse_obj(self, request: Request, obj: object) -> str | None:
        """Return the digits."""
        value = await super().parse_obj(request, obj)
        return None if value is None else bytes(value).hex()


@dataclass
class TextField(TextAreaField):
    """Text. An empty field is NULL, or no value; beside it is a box for an empty text.

    A text that is too long for a form is shown in part there, and kept.

    Attributes:
        nullable: whether the column may be NULL.
    """

    nullable: bool = True
    rows: int = 1
    form_template: str = "text.html"

    async def parse_form_data(self, request: Request, form_data: FormData) -> str | Untouched | None:
        """Return the text, None for an empty field, or that there was none in the form."""
        text = form_data.get(self.id)
        if not isinstance(text, str):
            return Untouched() if request.state.action is RequestAction.EDIT else None
        return text.replace("\r\n", "\n") or ("" if self.id + _EMPTY in form_data else None)

    async def validate(self, request: Request, value: object, form_values: dict[str, Any]) -> None:
        """Refuse no value where there must be one.

        Raises:
            ValueError: the field is empty, and so that was not meant.
        """
        is_asked = self.required or (request.state.action is RequestAction.EDIT and not self.nullable)
        if value is None and is_asked:
            raise ValueError("This field is required.")
        await self._run_validators(request, self.validators, value, form_values)

    async def serialize_value(self, request: Request, value: Any) -> Any:  # noqa: ANN401 - a text
        """Return the text; in a form, of one that is too long, its beginning."""
        text = str(value)
        return Untouched(cut(text, SHOWN)) if request.state.action.is_form() and len(text) > EDITED else text


@dataclass
class DocumentField(TextField):
    """JSON, as text: an editor of JavaScript would round large numbers. An empty field is NULL, `null` that of JSON."""

    form_template: str = "document.html"

    async def serialize_value(self, request: Request, value: Any) -> Any:  # noqa: ANN401 - any document, or its text
        """Return the document for a file, and its text for a page."""
        action = request.state.action
        if action is RequestAction.EXPORT:
            return value
        indent = None if action is RequestAction.LIST else 2
        return await super().serialize_value(request, json.dumps(value, ensure_ascii=False, indent=indent, default=str))


@dataclass
class FlagField(BooleanField):
    """True, false, or NULL."""

    form_template: str = "flag.html"

    async def parse_form_data(self, request: Request, form_data: FormData) -> Any:  # noqa: ANN401, ARG002 - a flag
        """Return what was chosen, or that the form had no choice."""
        return {"": None, "true": True, "on": True, "false": False}.get(str(form_data.get(self.id)), Untouched())


@dataclass
class MomentField(DateTimeField):
    """A point in time: in UTC, whatever the server's time zone; in a form to the second, as browsers have it.

    Attributes:
        aware: whether the column is a `timestamptz`.
    """

    aware: bool = True
    form_template: str = "moment.html"

    async def parse_form_data(self, request: Request, form_data: FormData) -> Any:  # noqa: ANN401 - a datetime, or text
        """Return the moment; starlette-admin's own loses the zone."""
        moment = await super().parse_form_data(request, form_data)
        if moment is None:
            return _written(form_data.get(self.id))
        return moment.replace(tzinfo=UTC) if self.aware else moment

    async def serialize_value(self, request: Request, value: Any) -> str:  # noqa: ANN401 - a datetime, or text
        """Return it for a list or a row as one reads it, and for a form or a file as these have it."""
        action = request.state.action
        if isinstance(value, Unread):
            return value
        if action in {RequestAction.LIST, RequestAction.DETAIL}:
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if self.aware else f"{value:%Y-%m-%d %H:%M:%S}"
        return await super().serialize_value(request, value.replace(microsecond=0) if action.is_form() else value)


@dataclass
class DayField(DateField):
    """A date."""

    form_template: str = "moment.html"

    async def parse_form_data(self, request: Request, form_data: FormData) -> Any:  # noqa: ANN401 - a date, or text
        """Return the date, or what was written in place of one."""
        return await super().parse_form_data(request, form_data) or _written(form_data.get(self.id))

    async def serialize_value(self, request: Request, value: Any) -> str:  # noqa: ANN401, ARG002 - a date, or text
        """Return it as text."""
        return value if isinstance(value, Unread) else str(value)


@dataclass
class ClockField(TimeField):
    """A time of day; in a form to the second, as browsers have it."""

    form_template: str = "moment.html"

    async def parse_form_data(self, request: Request, form_data: FormData) -> Any:  # noqa: ANN401 - a time, or text
        """Return the time, or what was written in place of one."""
        clock = await super().parse_form_data(request, form_data)
        return _written(form_data.get(self.id)) if clock is None else clock

    async def serialize_value(self, request: Request, value: Any) -> str:  # noqa: ANN401 - a time, or text
        """Return it as text."""
        if isinstance(value, Unread):
            return value
        return str(value.replace(microsecond=0) if request.state.action.is_form() else value)


def _written(text: object) -> Unread | None:
    return Unread(text) if isinstance(text, str) and text else None
