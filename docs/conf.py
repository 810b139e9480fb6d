"""How Sphinx builds these pages: `make docs`."""  # noqa: INP001 - a script of Sphinx

import re
from importlib.metadata import version as installed_version

from click import Context
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "pgauthkit"
copyright = "the pgauthkit maintainers"  # noqa: A001 - Sphinx's name for it
version = release = installed_version("pgauthkit")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["images/*.py"]
default_role = "literal"  # one backtick in a docstring is code
nitpicky = True
# What lives in other projects' documentation, and type variables.
nitpick_ignore_regex = [
    ("py:.*", r"(sqlalchemy|psycopg|alembic|argon2|attrs?|click|collections|pathlib|pytest|starlette|orm)(\..*)?"),
    ("py:.*", r"(pgauthkit\..*\.)?[A-Z]"),  # a type variable
    ("py:.*", r"_(schema|orm|asyncio)\..*"),
    ("py:.*", r"(datetime|contextlib|types|typing|enum|decimal|logging|abc|os|http|ssl|hypothesis)(\..*)?"),
]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"pgauthkit {release}"
html_static_path = ["_static"]
html_css_files = ["wide-tables.css"]
html_copy_source = False
html_show_sourcelink = False


def mark_code(_app: Sphinx, _context: Context, lines: list[str]) -> None:
    """Keep the two hyphens of an option in a command's help, which the theme would make a dash of."""
    lines[:] = [
        line if line.startswith("..") else re.sub(r"(?<![\w`-])--[a-z][a-z-]*", r"``\g<0>``", line) for line in lines
    ]


def mark_example(_app: Sphinx, _context: Context, lines: list[str]) -> None:
    """Set the command of an example in a block of its own."""
    lines[:] = re.sub(r"(Example.*?): (.*)", r"\1::\n\n    \2\n", " ".join(lines)).split("\n")


def setup(app: Sphinx) -> None:
    """Take a diagram for text: GitHub draws it, and Sphinx would load what draws it from elsewhere; mark up help."""
    app.add_lexer("mermaid", TextLexer)
    app.connect("sphinx-click-process-description", mark_code)
    app.connect("sphinx-click-process-options", mark_code)
    app.connect("sphinx-click-process-epilog", mark_example)
