"""The manifest: what stands beside a dump and says what is in it, so that a restore can be checked against it."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Literal, Self, TypeAlias, get_args

import attrs
from attrs.validators import and_, deep_iterable, deep_mapping, ge, in_, instance_of, matches_re

from pgauthkit.errors import RestoreError

__all__ = ["Format", "Manifest", "digest"]

Format: TypeAlias = Literal["custom", "plain"]
"""`custom`, pg_dump's own, compressed, or `plain` SQL."""

_VERSION: Final = 1
_SUFFIX: Final = ".json"
_WORD: Final = r'("([^"\0]|"")+"|[a-z_][a-z0-9_$]*)'
# It may have been written by hand: what is read from it ends in queries, in names of programs, on terminals.
_TEXT: Final = instance_of(str)
_TEXTS: Final["Callable[[Any, attrs.Attribute[Any], Any], None]"] = deep_iterable(_TEXT)
_TABLE: Final = matches_re(rf"{_WORD}\.{_WORD}", flags=re.DOTALL)
_NUMBER: Final = and_(instance_of(int), ge(0))


@attrs.frozen(kw_only=True)
class Manifest:
    """What a dump is, as it was when it was made.

    Attributes:
        database: the name of the database.
        created_at: the moment of the database that the dump shows, by the server's clock.
        format: pg_dump's own, or SQL.
        schema_only: whether it has no rows.
        size: in bytes.
        sha256: of the file, in hexadecimal.
        server_version: such as `16.14`.
        tool_version: of the pg_dump that made it.
        revisions: the rows of each version table, by the table's name, such as `pgauthkit.alembic_version`.
        rows: how many rows each table has, by its name.
    """

    database: str = attrs.field(validator=_TEXT)
    created_at: datetime
    format: Format = attrs.field(validator=in_(get_args(Format)))
    schema_only: bool = attrs.field(validator=instance_of(bool))
    size: int = attrs.field(validator=_NUMBER)
    sha256: str = attrs.field(validator=matches_re(r"[0-9a-f]{64}"))
    server_version: str = attrs.field(validator=matches_re(r"\d{1,2}\.\d{1,4}", flags=re.ASCII))
    tool_version: str = attrs.field(validator=matches_re(r"\d{1,2}[.\w]{0,20}", flags=re.ASCII))
    revisions: Mapping[str, tuple[str, ...]] = attrs.field(validator=deep_mapping(_TABLE, _TEXTS))
    rows: Mapping[str, int] = attrs.field(validator=deep_mapping(_TABLE, _NUMBER))

    @staticmethod
    def path(file: Path) -> Path:
        """Return where the manifest of a dump is: `<dump>.json`."""
        return file.with_name(file.name + _SUFFIX)

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """Read the manifest of a dump; None where there is none.

        Raises:
            RestoreError: it cannot be read.

        Example:
            >>> Manifest.read(Path("blog-20260131T030000Z.dump")).rows["pgauthkit.users"]  # doctest: +SKIP
            42
        """
        path = cls.path(file)
        if not path.exists():
            return None
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise RestoreError(f"The manifest {path.name} cannot be read ({type(error).__name__}).") from error

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `as_json` wrote.

        Raises:
            ValueError: it is no JSON, or of a later version than this.
            KeyError: something is missing.
            TypeError: something is not what it should be.
            AttributeError: the same.
        """
        values: dict[str, Any] = json.loads(text)
        json.dumps(
            values, ensure_ascii=False
        ).encode()  # Half a character, which JSON can write and no server can read.
        if values.pop("version") != _VERSION:
            raise ValueError("version")
        values["created_at"] = datetime.fromisoformat(values["created_at"])
        if values["created_at"].tzinfo is None:
            raise ValueError("created_at")
        values["revisions"] = {table: tuple(revisions) for table, revisions in values["revisions"].items()}
        values["rows"] = dict(values["rows"].items())
        return cls(**values)

    def as_json(self) -> str:
        """Return it as it is written beside the dump."""
        return json.dumps({"version": _VERSION, **attrs.asdict(self)}, default=str, indent=2) + "\n"


def digest(file: IO[bytes]) -> str:
    """Return the SHA-256 of a file, in hexadecimal, and go back to its beginning."""
    file.seek(0)
    found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    return found
