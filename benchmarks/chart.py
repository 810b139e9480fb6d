"""Bars, as SVG: a line each, with the quartiles as a whisker; readable on light and on dark paper."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from benchmarks.figures import Spread

__all__ = ["bars"]

WIDTH: Final = 760
LEFT: Final = 210
RIGHT: Final = 90
ROW: Final = 26
TOP: Final = 44

_STYLE: Final = """text{font:13px system-ui,sans-serif;fill:#444}.title{font-weight:600}.end{text-anchor:end}
.bar{fill:#9aa5b1}.ours{fill:#2563a8}.whisker{stroke:#222;stroke-width:1.5}
@media (prefers-color-scheme:dark){text{fill:#ccc}.whisker{stroke:#eee}}"""


def bars(title: str, rates: Sequence[tuple[str, Spread]]) -> str:
    """Return a chart of rates, in the order given."""
    height = TOP + ROW * len(rates) + 10
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    top = f'<text class="title" x="10" y="24">{escape(title)}</text>'
    scale = (WIDTH - LEFT - RIGHT) / max((spread.high for _, spread in rates), default=1)
    rows = (line for number, (name, rate) in enumerate(rates) for line in _row(name, rate, TOP + ROW * number, scale))
    return "\n".join([head, f"<style>{_STYLE}</style>", f"<title>{escape(title)}</title>", top, *rows, "</svg>", ""])


def _row(name: str, rate: Spread, y: int, scale: float) -> Iterator[str]:
    kind = "bar ours" if name.startswith("pgauthkit") else "bar"
    low, middle, high = (LEFT + value * scale for value in (rate.low, rate.middle, rate.high))
    center = y + ROW / 2 - 3
    yield f'<text class="end" x="{LEFT - 8}" y="{y + 15}">{escape(name)}</text>'
    yield f'<rect class="{kind}" x="{LEFT}" y="{y + 2}" width="{middle - LEFT:.1f}" height="{ROW - 8}"/>'
    yield f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{center}" y2="{center}"/>'
    yield f'<text x="{high + 8:.1f}" y="{y + 15}">{rate.middle:,.0f}</text>'
