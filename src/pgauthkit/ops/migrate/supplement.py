"""What Alembic's comparison leaves out of a revision: written into it, or named where it must be written by hand."""

from collections.abc import Iterable, Sequence
from typing import Final

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.operations.ops import MigrateOperation, MigrationScript, OpContainer
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, MetaData
from sqlalchemy.exc import CompileError, DBAPIError

from pgauthkit.ops.migrate.autogenerate.settling import leave_same
from pgauthkit.ops.migrate.autogenerate.unread import name_unread
from pgauthkit.ops.migrate.covered import covered
from pgauthkit.ops.migrate.making import Made, make
from pgauthkit.ops.migrate.missing import Missing, Step
from pgauthkit.ops.migrate.rendering import escape_read, escaped
from pgauthkit.ops.migrate.written import written

__all__ = ["models_of", "supplement"]

_UNMADE: Final = (
    "{what}, so that indexes' conditions, CHECKs, enum labels and the precision of types were not compared."
)
_CONCURRENT: Final = "Indexes that are made CONCURRENTLY: run the command again once this revision is applied."
_OTHERS: Final = "All else that differs: run the command again once the enum's new labels are applied."


class _Apart(MigrateOperation):
    """Statements that a transaction cannot run, or cannot use; a block in autocommit runs them."""

    def __init__(self, statements: Sequence[str]) -> None:
        self.statements = statements


class _LabelsStay(MigrateOperation):
    """The way down of new labels: there is none."""


class _Executed(ops.ExecuteSQLOp):
    """A statement, and the schema that has to be there."""

    def __init__(self, sql: str, schema: str | None = None) -> None:
        super().__init__(escaped(sql))
        self.schema = schema


@renderers.dispatch_for(_Apart)
def _render_apart(_context: AutogenContext, operation: _Apart) -> list[str]:
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
    for metadata in models_of(context):
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


def models_of(context: MigrationContext) -> tuple[MetaData, ...]:
    """Return what an env.py has its models in.

    Example:
        >>> models_of(context)  # doctest: +SKIP
        (MetaData(),)
    """
    given = context.opts["target_metadata"]
    return (given,) if isinstance(given, MetaData) else tuple(given)


def _add(script: MigrationScript, made: Made) -> list[str]:
    up, down = script.upgrade_ops, script.downgrade_ops
    assert up is not None  # noqa: S101 - one script has one of each
    assert down is not None  # noqa: S101 - the same
    same = frozenset((str(item.owner), item.name) for item, said in made.wanted.items() if made.found.get(item) == said)
    apart = _beside_writes(made, up) | made.casts.keys()
    for container in (up, down):
        leave_same(container, made.home, same, apart)
        name_unread(_flat(container.ops), made.types, made.home)
    _say_indexes_again(down, made)
    escape_read(_flat(down.ops))
    more = written(made, list(_flat(up.ops)))
    others = bool(up.ops or more.before or more.after)
    if more.labels:  # Alone, as a revision runs in a transaction or outside of one, and a default may be a new label.
        up.ops[:], down.ops[:] = [_Apart(more.labels)], [_LabelsStay()]
        return [*([_OTHERS] if others or more.apart else []), *more.by_hand]
    if more.apart and not others:
        up.ops[:] = [_Apart([one.up for one in more.apart if one.up])]
        down.ops[:] = [_Apart([one.down for one in reversed(more.apart) if one.down])]
        return more.by_hand
    _complete(up, down, more, made.home)
    return [*([_CONCURRENT] if more.apart else []), *more.by_hand]


def _beside_writes(made: Made, up: OpContainer) -> frozenset[str]:
    """Return the indexes that are made CONCURRENTLY: not those of a table that is new."""
    new = covered(list(_flat(up.ops)), made.home).tables
    return frozenset(
        item.name
        for item in (*made.wanted, *made.found)
        if item.kind == "index" and item.name in made.concurrent and item.owner not in new
    )


def _say_indexes_again(container: OpContainer, made: Made) -> None:
    """Make an index again in the server's words: Alembic reads no collation and no operator class."""
    known = {(item.owner, item.name): said for item, said in made.found.items() if item.kind == "index"}
    for place, one in enumerate(container.ops):
        if isinstance(one, ops.ModifyTableOps):
            _say_indexes_again(one, made)
        elif isinstance(one, ops.CreateIndexOp):
            schema = one.schema or made.home
            said = known.get((f"{schema}.{one.table_name}", f"{schema}.{one.index_name}"))
            container.ops[place] = _Executed(said.removesuffix(" INVALID")) if said else one


def _complete(up: OpContainer, down: OpContainer, more: Missing, home: str) -> None:
    made: list[MigrateOperation] = []
    for one in up.ops:
        made.append(one)
        if isinstance(one, ops.CreateTableOp):
            again = more.remade.get(f"{one.schema or home}.{one.table_name}", [])
            made += [_Executed(statement) for statement in again]
    up.ops[:] = [*_executed(more.before), *made, *_executed(more.after)]
    after, before = (
        _executed([Step(one.down, None) for one in reversed(steps)]) for steps in (more.after, more.before)
    )
    down.ops[:] = [*after, *down.ops, *before]


def _flat(operations: Iterable[MigrateOperation]) -> Iterable[MigrateOperation]:
    for operation in operations:
        if isinstance(operation, ops.ModifyTableOps):
            yield from operation.ops
        else:
            yield operation


def _executed(steps: Iterable[Step]) -> list[MigrateOperation]:
    return [_Executed(step.up, step.schema) for step in steps if step.up]
