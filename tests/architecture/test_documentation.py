"""What the documentation owes the public names and the commands: an example, a page, and examples that are true."""

import doctest
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Final, cast

import click
import pytest
from _pytest.fixtures import FixtureFunctionDefinition
from tests.architecture.test_shape import SOURCE, importable

from pgauthkit import errors
from pgauthkit.cli import main
from pgauthkit.testing import plugin

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE: Final = ROOT / "docs" / "reference"
PUBLIC: Final = [
    "pgauthkit",
    "pgauthkit.browser",
    "pgauthkit.config",
    "pgauthkit.database",
    "pgauthkit.errors",
    "pgauthkit.models",
    "pgauthkit.ops.backup",
    "pgauthkit.ops.doctor",
    "pgauthkit.ops.erd",
    "pgauthkit.ops.migrate",
    "pgauthkit.ops.restore",
    "pgauthkit.ops.seed",
    "pgauthkit.repositories",
    "pgauthkit.secret",
    "pgauthkit.seeding",
    "pgauthkit.studio",
    "pgauthkit.testing",
    "pgauthkit.values",
]
DIRECTIVE: Final = re.compile(r"^\.\. auto(module|class|function|data):: (\S+)\n((?:   .*\n)*)", re.MULTILINE)
BLOCK: Final = re.compile(r"^```(?:bash|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)

Name = tuple[str, str]


def public_names() -> list[Name]:
    return [(module, name) for module in PUBLIC for name in importlib.import_module(module).__all__]


def says_it_all(value: object) -> bool:
    """Tell whether a class is an error without an attribute of its own: its one sentence is all there is to it."""
    return isinstance(value, type) and issubclass(value, errors.PgAuthKitError) and "__init__" not in vars(value)


def twin_of(value: type | FunctionType) -> str:
    return value.__name__.replace("Async", "").replace("async_", "")


def documented() -> Iterator[Name]:
    """Walk over the names on the pages of the reference."""
    for page in REFERENCE.glob("*.md"):
        for kind, target, options in DIRECTIVE.findall(page.read_text()):
            if kind == "module":
                yield from listed(importlib.import_module(target), options)
            else:
                module, _, name = target.rpartition(".")
                yield module, name


def listed(module: ModuleType, options: str) -> Iterator[Name]:
    """Walk over what Sphinx shows of a module: not what is imported lazily, and no data, which need an autodata."""
    chosen = re.findall(r"\w+", options.partition(":members:")[2].partition("\n")[0])
    for name in chosen or module.__all__:
        if isinstance(vars(module).get(name), type | FunctionType):
            yield module.__name__, name


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Walk over everything that can be typed, a group of commands included."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(cast("click.Command", command.get_command(context, name)), f"{path} {name}")


def fixtures() -> Iterator[str]:
    """Walk over the fixtures of the plugin as rows of a table: name, how long it lives, and what it is."""
    for name, value in vars(plugin).items():
        if isinstance(value, FixtureFunctionDefinition):
            what = (value.__doc__ or "").partition("\n")[0]
            yield f"| `{name}` | {value._fixture_function_marker.scope} | {what} |"


def settings() -> Iterator[str]:
    """Walk over the settings of the plugin as rows of a table: name, option, default, and what it is."""
    parser = pytest.Parser(_ispytest=True)
    plugin.pytest_addoption(parser)
    options = {name for option in parser.getgroup("pgauthkit").options for name in option.names()}
    for name, (what, _kind, default) in parser._inidict.items():
        option = "--" + name.replace("_", "-")
        shown = f"`{option}`" if option in options else ""
        yield f"| `{name}` | {shown} | {f'`{default}`' if default else ''} | {what} |"


@pytest.mark.parametrize("name", public_names(), ids=".".join)
def test_a_public_name_has_an_example(name: Name) -> None:
    """Every public class and function shows an example, or names the twin that does."""
    value = getattr(importlib.import_module(name[0]), name[1])
    if isinstance(value, type | FunctionType) and not says_it_all(value):
        text = value.__doc__ or ""
        assert "Example:" in text or (twin_of(value) != value.__name__ and f"`{twin_of(value)}`" in text)


def test_every_public_name_has_a_place_in_the_reference() -> None:
    """What is exported stands on a page of the reference, under this name or that of the module it comes from."""
    shown = [getattr(importlib.import_module(module), name) for module, name in documented()]
    missing = [
        ".".join(name)
        for name in public_names()
        if not any(getattr(importlib.import_module(name[0]), name[1]) is value for value in shown)
    ]
    assert missing == []


def test_the_index_lists_every_page_of_the_reference() -> None:
    """Nothing in the reference can only be found by its address."""
    listed = re.findall(r"^[a-z-]+$", (REFERENCE / "index.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(page.stem for page in REFERENCE.glob("*.md") if page.stem != "index")


@pytest.mark.parametrize("rows", [fixtures, settings], ids=["fixtures", "settings"])
def test_the_tables_of_the_plugin_say_what_it_has(rows: Callable[[], Iterator[str]]) -> None:
    """The reference lists each fixture and each setting once, as the plugin describes them, and no other."""
    text = (REFERENCE / "testing.md").read_text()
    table = next(part for part in text.split("\n\n") if next(rows()) in part)
    assert table.splitlines()[2:] == list(rows())


@pytest.mark.parametrize("command", [path for path, _command in commands(main, "pgauthkit")][1:])
def test_a_command_is_shown_on_a_page(command: str) -> None:
    """Every command is typed in a block of the documentation."""
    blocks = "\n".join(block for page in PAGES for block in BLOCK.findall(page.read_text()))
    assert re.search(rf"{re.escape(command)}(?![\w-])", blocks)


def test_the_reference_has_every_command() -> None:
    """The page of commands names each command that is imported late, with what is below it."""
    page = (REFERENCE / "commands.md").read_text()
    shown = re.findall(r"click:: (\S+):(\S+)\n   :prog: pgauthkit (\S+)\n   :nested: full\n", page)
    typed = {name: getattr(importlib.import_module(module), attribute) for module, attribute, name in shown}
    assert typed == {path.split()[1]: command for path, command in commands(main, "pgauthkit") if path.count(" ") == 1}


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    """What a page at the top links to is there; Sphinx looks after the links of the others."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_files_that_contributors_are_sent_to_exist() -> None:
    """Each file that is named for an example is there, in the package or from the root."""
    named = re.findall(r"`([\w/.]+(?:\.py|/))`", (ROOT / "CONTRIBUTING.md").read_text())
    assert [name for name in named if not any((root / name).exists() for root in (ROOT, SOURCE))] == []


@pytest.mark.parametrize("module", importable(), ids=lambda module: module.__name__)
def test_the_examples_of_a_module_are_true(module: ModuleType) -> None:
    """What an example prints is what it says, unless it needs a database and says so with `+SKIP`."""
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
