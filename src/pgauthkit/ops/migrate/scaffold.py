"""Making the folder of migrations for an application that has no Alembic yet."""

import re
import tomllib
from pathlib import Path
from typing import Final

from pgauthkit.errors import ConfigError

__all__ = ["scaffold"]

_TABLE: Final = "[tool.pgauthkit]"
_ENV: Final = '''"""Alembic's environment of this project. `pgauthkit migrate` runs it, and gives it the connection."""

{imports}

from pgauthkit.migrations.host import run_migrations

run_migrations({models})
'''
_NAMES: Final = r"\w+(\.\w+)*"
_TEMPLATE: Final = '''"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
'''


def scaffold(
    project: Path, *, models: str, migrations: str = "migrations", is_metadata: bool = False
) -> tuple[Path, ...]:
    """Make a folder of migrations: its env.py, the template of a revision, and a place for the revisions.

    `[tool.pgauthkit]` of the pyproject.toml gets `models` and `migrations`, where they are not there yet.

    Args:
        project: the application's directory.
        models: its declarative base, as `module:name`, where the name may have dots, such as `ext:db.Model`; a module
            with models; or several of these, separated by commas.
        migrations: the folder, seen from the project.
        is_metadata: whether `models` names a `MetaData`, or a list, and no base.

    Raises:
        ConfigError: `models` is not of that form, the folder is there already, or the project has an `alembic.ini`,
            which is used as it is.

    Returns:
        What was written.

    Example:
        >>> scaffold(Path("/srv/blog"), models="blog.models:Base")  # doctest: +SKIP
        (PosixPath('/srv/blog/migrations/env.py'), …)
    """
    folder, pyproject = project / migrations, project / "pyproject.toml"
    problems: list[str] = []
    if not all(re.fullmatch(rf"{_NAMES}(:{_NAMES})?", one.strip()) for one in models.split(",")):
        problems.append("models: it looks like blog.models:Base, the module and the declarative base in it.")
    if (folder / "env.py").exists():
        problems.append(
            f"migrations: {migrations} has an env.py already. To use other models, change {migrations}/env.py, and"
            " `models` in [tool.pgauthkit] of pyproject.toml."
        )
    if (project / "alembic.ini").exists():
        problems.append("migrations: there is an alembic.ini, which is used as it is; nothing needs to be made.")
    if problems:
        raise ConfigError(problems)
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    (folder / "versions" / ".gitkeep").touch()
    (folder / "env.py").write_text(_environment(models, is_metadata=is_metadata), encoding="utf-8")
    (folder / "script.py.mako").write_text(_TEMPLATE, encoding="utf-8")
    before = pyproject.read_text(encoding="utf-8") if pyproject.exists() else ""
    after = _with_settings(before, {"models": models, "migrations": migrations})
    pyproject.write_text(after, encoding="utf-8")
    return (folder / "env.py", folder / "script.py.mako", *([pyproject] if after != before else []))


def _environment(models: str, *, is_metadata: bool) -> str:
    module, colon, name = models.partition(":")
    if colon and "," not in models:
        first, metadata = name.partition(".")[0], name if is_metadata else f"{name}.metadata"
        return _ENV.format(imports=f"from {module} import {first}", models=metadata)
    several = [one.strip() for one in models.split(",")]
    imports = "\n".join(sorted({f"import {one.partition(':')[0]}" for one in several}))
    names = [one.replace(":", ".") for one in several]
    return _ENV.format(imports=imports, models=names[0] if len(names) == 1 else f"[{', '.join(names)}]")


def _with_settings(text: str, settings: dict[str, str]) -> str:
    there = tomllib.loads(text).get("tool", {}).get("pgauthkit")
    lines = "".join(f'{name} = "{value}"\n' for name, value in settings.items() if name not in (there or {}))
    if there is None:
        return f"{text.rstrip()}\n\n{_TABLE}\n{lines}".lstrip()
    return re.sub(
        rf"^{re.escape(_TABLE)}[^\n]*(?:\n|\Z)", lambda found: f"{found[0].rstrip()}\n{lines}", text, flags=re.MULTILINE
    )
