"""Models written from the tables of a database, by sqlacodegen, an extra."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import attrs

from pgauthkit.errors import ConfigError
from pgauthkit.ops.project.reflection import reflect
from pgauthkit.ops.server.connection import Target, engine_for

__all__ = ["BaseKind", "Pulled", "pull"]

BaseKind: TypeAlias = Literal["pgauthkit", "plain"]
"""On our `Base`, whose convention names constraints, or on a `DeclarativeBase` of the application's own."""

_EXTRA: Final = "pull needs packages that are not installed: pip install 'pgauthkit[cli,pull]'"


@attrs.frozen(kw_only=True)
class Pulled:
    """What was written.

    Attributes:
        code: a module of Python.
        tables: how many tables are in it.
        notes: what SQLAlchemy does not know, such as a type of PostgreSQL, in its own sentences.

    Example:
        >>> pull("postgresql://localhost/blog").tables  # doctest: +SKIP
        3
    """

    code: str
    tables: int
    notes: tuple[str, ...]


def pull(target: Target, *, schemas: Sequence[str] = (), base: BaseKind = "plain") -> Pulled:
    """Write models of the tables in a database. Views, partitions and our own tables are left out.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`. Reads only.
        schemas: where the tables are; none for every schema that is no system's.
        base: what the models are derived from.

    Raises:
        ConfigError: the extra `pull` is not installed, or there is no table.
        DatabaseUnavailableError: the database cannot be reached.

    Example:
        >>> print(pull("postgresql://localhost/blog").code)  # doctest: +SKIP
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
        …
    """
    try:
        from pgauthkit.ops.project.models_code import ModelsCode  # noqa: PLC0415 - what is not installed is an extra
    except ModuleNotFoundError as error:
        raise ConfigError([_EXTRA]) from error
    engine = engine_for(target)
    metadata, notes = reflect(engine, schemas, convention=base == "pgauthkit")
    code = ModelsCode(metadata, engine, base)
    return Pulled(code=code.generate(), tables=code.tables, notes=notes)
