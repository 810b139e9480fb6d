"""Draws `demo.svg`, beside this file: what `pgauthkit demo` tells, run anew. `python docs/images/make_demo.py`."""  # noqa: INP001 - a script

import io
import re
from pathlib import Path
from typing import Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from pgauthkit.cli.demo import play
from pgauthkit.cli.demo.narrator import Narrator
from pgauthkit.cli.demo.server import passing_server

# A picture in a README loads nothing from elsewhere, so it names fonts that may be there.
FONTS: Final = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
FORMAT: Final = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code, monospace", FONTS
)
COLUMN: Final = 12.2  # rich's width of a character
BLANKS: Final = re.compile(r'x="([\d.]+)" (y="[\d.]+") textLength="([\d.]+)"([^>]*>)((?:&#160;)+)')


def draw() -> str:
    """Run the demo into a recording console, and return the picture."""
    console = Console(record=True, file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
    console.print(Text("$ pgauthkit demo", "bold"))
    narrator = Narrator(console)
    play(narrator, passing_server(narrator, binaries=None, account=None))
    return BLANKS.sub(_moved, console.export_svg(title="pgauthkit demo", code_format=FORMAT, unique_id="demo"))


def _moved(text: re.Match[str]) -> str:
    # Not every viewer keeps the blanks at the beginning of a text: it begins further to the right instead.
    shift = text[5].count(";") * COLUMN
    return f'x="{float(text[1]) + shift:.1f}" {text[2]} textLength="{float(text[3]) - shift:.1f}"{text[4]}'


if __name__ == "__main__":
    Path(__file__).with_name("demo.svg").write_text(draw(), encoding="utf-8")
