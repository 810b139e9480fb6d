"""Writing a revision's file as `alembic revision` does, with the env.py on our connection."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alembic.autogenerate import RevisionContext
from alembic.runtime.environment import ProcessRevisionDirectiveFn
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory
from alembic.util import asbool
from sqlalchemy import Connection

from pgauthkit.ops.revisions.environment import run_environment
from pgauthkit.ops.revisions.rendering import Rendering
from pgauthkit.ops.revisions.scope import widen
from pgauthkit.ops.revisions.source import words
from pgauthkit.ops.revisions.tracks import Track

__all__ = ["write_revision"]


def write_revision(
    track: Track,
    connection: Connection,
    message: str,
    *,
    autogenerate: bool,
    directives: ProcessRevisionDirectiveFn | None = None,
) -> Script | None:
    """Write a revision on top of the head, and return it; None where `directives` left nothing to write.

    Args:
        track: whose revisions.
        connection: the database that is compared.
        message: what the revision does.
        autogenerate: whether to fill it with the difference between the models and the database.
        directives: what may change the revision before it is written, as for `alembic.command.revision`.

    Raises:
        MigrationError: the env.py raises.
        alembic.util.CommandError: there are several heads.

    Example:
        >>> write_revision(track, connection, "Add posts", autogenerate=True).path  # doctest: +SKIP
        'migrations/versions/20260131_2f1a_add_posts.py'
    """
    config = track.config(connection)
    script = ScriptDirectory.from_config(config)
    arguments: dict[str, Any] = {"message": message, "autogenerate": autogenerate, "sql": False, "head": "head"}
    arguments |= dict.fromkeys(("splice", "branch_label", "version_path", "rev_id", "depends_on"))
    revision = RevisionContext(config, script, arguments, process_revision_directives=directives)
    fill = revision.run_autogenerate if autogenerate else revision.run_no_autogenerate
    rendering = Rendering(None)

    def work(heads: Any, context: MigrationContext) -> Iterable[MigrationStep]:  # noqa: ANN401 - Alembic's own
        rendering.theirs = context.opts.get("render_item")
        context.opts["render_item"] = rendering
        widen(context, {word for one in track.revisions() for word in words(one.path)})
        fill(heads, context)
        return ()

    if autogenerate or asbool(config.get_alembic_option("revision_environment")):
        run_environment(
            track, connection, work, config=config, template_args=revision.template_args, revision_context=revision
        )
    made = next((made for made in revision.generate_scripts() if made), None)
    if made:
        rendering.complete(Path(made.path))
    return made
