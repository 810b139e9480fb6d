"""What Alembic's comparison leaves out of a revision: written into it, or named where it must be written by hand."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.operations.ops import MigrateOperation, MigrationScript, OpContainer
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, MetaData
from sqlalchemy.exc import CompileError, DBAPIError

from pgauthkit.ops.migrate.making import Made, make
from pgauthkit.ops.migrate.rendering import escape_read, escaped
from pgauthkit.ops.migrate.written import written

__all__ = ["supplement"]

_UNMADE: Final = (
    "{what}, so that indexes' conditions, CHECKs, enum labels and the precision of types were not compared."
)
_OTHERS: Final = "All else that differs: run the command again once the enum's new labels are applied."


class _Labels(MigrateOperation):
    """New labels of enum types, which a transaction cannot use; a block in autocommit adds them."""

    def __init__(self, statements: Sequence[str]) -> None:
        self.statements = statements


class _LabelsStay(MigrateOperation):
    """The way down of new labels: there is none."""


@renderers.dispatch_for(_Labels)
def _render_labels(_context: AutogenContext, operation: _Labels) -> list[str]:
    lines = [f"op.execute({escaped(statement)!r})" for statement in operation.statements]
    return ["with op.get_context().autocommit_block():", *lines, ""]


@renderers.dispatch_for(_LabelsStay)
def _render_labels_stay(_context: AutogenContext, _operation: _LabelsStay) -> str:
    return "pass  # The enum's new labels stay: PostgreSQL cannot drop one."


def supplement(context: MigrationContext, engine: Engine, script: MigrationScript) -> tuple[str, ...]:
    """Add to a revision what Alembic does not compare, and return what must be written by hand, each in a sentence.

    Args:
        context: of the env.py that has compared models and database.
        engine: of the database.
        script: the revision as Alembic has it.

    Example:
        >>> supplement(context, engine, script)  # doctest: +SKIP
        ('The column public.posts.total is to be …',)
    """
    by_hand: list[str] = []
    for metadata in _metadata(context):
        try:
            made = make(engine, metadata)
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            by_hand.append(_UNMADE.format(what=f"The server could not make the models' tables (SQLSTATE {state})"))
        except CompileError as error:  # Such as a column of a composite type, of which SQLAlchemy knows nothing.
            by_hand.append(_UNMADE.format(what=f"The models' tables cannot be made {error}".partition(":")[0]))
        else:
            by_hand += _add(script, made)
    return tuple(by_hand)


def _metadata(context: MigrationContext) -> tuple[MetaData, ...]:
    given = context.opts["target_metadata"]
    return (given,) if isinstance(given, MetaData) else tuple(given)


def _add(script: MigrationScript, made: Made) -> list[str]:
    up, down = script.upgrade_ops, script.downgrade_ops
    assert up is not None  # noqa: S101 - one script has one of each
    assert down is not None  # noqa: S101 - the same
    same = frozenset((str(item.owner), item.name) for item, said in made.wanted.items() if made.found.get(item) == said)
    for container in (up, down):
        _leave_indexes(container, made, same)
    escape_read(_flat(down.ops))
    more = written(made, list(_flat(up.ops)))
    if more.labels:  # Alone, as a revision runs in a transaction or outside of one, and a default may be a new label.
        others = [_OTHERS] if up.ops or more.before or more.after else []
        up.ops[:], down.ops[:] = [_Labels(more.labels)], [_LabelsStay()]
        return [*others, *more.by_hand]
    up.ops[:] = [*_executed(one.up for one in more.before), *up.ops, *_executed(one.up for one in more.after)]
    after, before = (_executed(one.down for one in reversed(steps)) for steps in (more.after, more.before))
    down.ops[:] = [*after, *down.ops, *before]
    return more.by_hand


def _leave_indexes(container: OpContainer, made: Made, same: Collection[tuple[str, str]]) -> None:
    """Take out indexes that the server describes in the same words, which Alembic makes anew each time."""

    def is_same(operation: MigrateOperation) -> bool:
        if not isinstance(operation, ops.CreateIndexOp | ops.DropIndexOp):
            return False
        schema = operation.schema or made.home
        return (f"{schema}.{operation.table_name}", f"{schema}.{operation.index_name}") in same

    for inner in container.ops:
        if isinstance(inner, ops.ModifyTableOps):
            _leave_indexes(inner, made, same)
    container.ops[:] = [
        inner
        for inner in container.ops
        if not (is_same(inner) or (isinstance(inner, ops.ModifyTableOps) and inner.is_empty()))
    ]


def _flat(operations: Iterable[MigrateOperation]) -> Iterable[MigrateOperation]:
    for operation in operations:
        if isinstance(operation, ops.ModifyTableOps):
            yield from operation.ops
        else:
            yield operation


def _executed(statements: Iterable[str | None]) -> list[MigrateOperation]:
    return [ops.ExecuteSQLOp(escaped(statement)) for statement in statements if statement]
