"""Types in a revision: written so that it can be loaded, whatever module they come from."""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import attrs
import sqlalchemy
from alembic.autogenerate import render
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["Rendering"]

RenderItem: TypeAlias = Callable[[str, Any, AutogenContext], str | Literal[False]]

_NAMED: Final = "pgauthkit.migrations.types"
_FIRST_IMPORT: Final = re.compile(r"^(?=import |from (?!__future__))", re.MULTILINE)


@attrs.define
class Rendering:
    """A `render_item` of Alembic's, which gives each type its import, and tries whether the text makes the same type.

    Where it does not, a `TypeDecorator` is written as the type below it, and any other as its name in SQL.

    Attributes:
        theirs: the `render_item` of the env.py, which is asked first.
    """

    theirs: RenderItem | None
    _context: AutogenContext | None = attrs.field(default=None, init=False)
    _under_way: set[int] = attrs.field(factory=set[int], init=False)

    def __call__(self, kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:  # noqa: ANN401 - Alembic's
        """Return the text of a type; False where Alembic's own is right."""
        self._context = context
        found = self.theirs(kind, item, context) if self.theirs else False
        prefix = context.opts.get("user_module_prefix")  # With one, the template of the application has the imports.
        if found is not False or kind != "type" or prefix is not None or id(item) in self._under_way:
            return found
        return self._written(item, context)

    def complete(self, path: Path) -> None:
        """Write the imports into a revision whose template has no place for them."""
        text = path.read_text(encoding="utf-8")
        needed = sorted(self._context.imports) if self._context else []
        if missing := [line for line in needed if line not in text.splitlines()]:
            path.write_text(_FIRST_IMPORT.sub("\n".join([*missing, ""]), text, count=1), encoding="utf-8")

    def _written(self, item: TypeEngine[Any], context: AutogenContext) -> str | Literal[False]:
        try:
            wanted = _ddl(item, context)
        except SQLAlchemyError:  # Such as a column without a type, of which SQL has no word.
            return False
        for text, module in self._ways(item, context):
            if _makes(text, module, wanted, context):
                _import(module, context)
                return text
        _import(_NAMED, context)
        return f"{_NAMED}.NamedType({wanted!r})"

    def _ways(self, item: TypeEngine[Any], context: AutogenContext) -> list[tuple[str, str]]:
        ways = [(self._alembics(item, context), type(item).__module__)]
        if isinstance(item, TypeDecorator):
            below = item.load_dialect_impl(context.dialect)
            ways.append((self._alembics(below, context), type(below).__module__))
        return ways

    def _alembics(self, item: TypeEngine[Any], context: AutogenContext) -> str:
        self._under_way.add(id(item))
        try:
            # Alembic has no public one.
            return render._repr_type(item, context)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]
        finally:
            self._under_way.discard(id(item))


def _import(module: str, context: AutogenContext) -> None:
    if not module.startswith("sqlalchemy."):
        context.imports.add(f"import {module}")


def _makes(text: str, module: str, wanted: str, context: AutogenContext) -> bool:
    names: dict[str, object] = {
        "postgresql": postgresql,
        context.opts["sqlalchemy_module_prefix"].strip("."): sqlalchemy,
    }
    try:
        import_module(module)
        for line in context.imports:
            exec(line, names)  # noqa: S102 - the imports of the revision, as it will have them
        names[module.partition(".")[0]] = import_module(module.partition(".")[0])
        return _ddl(eval(text, names), context) == wanted  # noqa: S307 - the revision's own text, run when it is applied
    except Exception:  # noqa: BLE001 - a class of the application's may raise anything, and is then not called
        return False


def _ddl(kind: TypeEngine[Any], context: AutogenContext) -> str:
    return kind.compile(dialect=context.dialect)
