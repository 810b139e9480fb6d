"""What was measured, a file for each row of the plan, so that a row can be measured again by itself."""

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from benchmarks.entrants import BUILD

__all__ = ["FOLDER", "Line", "Results"]

Line = dict[str, Any]

FOLDER: Final = BUILD / "benchmarks"


@attrs.frozen
class Results:
    """A folder of results, as JSON lines."""

    folder: Path = FOLDER

    def clear(self) -> None:
        """Forget what was measured."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, row: str, lines: Iterable[Line]) -> None:
        """Write the lines of a row as they come, in place of those of before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{row}.jsonl").open("w", encoding="utf-8") as out:
            for line in lines:
                out.write(json.dumps(line) + "\n")
                out.flush()

    def read(self, rows: Sequence[str]) -> list[Line]:
        """Return the lines of these rows, as far as they were measured."""
        files = (self.folder / f"{row}.jsonl" for row in rows)
        return [
            json.loads(line)
            for file in files
            if file.exists()
            for line in file.read_text(encoding="utf-8").splitlines()
        ]
