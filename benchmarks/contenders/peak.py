"""The most memory that a process has had, above what it had when it was idle; Linux tells it."""

from pathlib import Path

import attrs

__all__ = ["Peak", "megabytes"]


def megabytes(name: str) -> float:
    """Read a figure of this process: `VmRSS`, what it has, or `VmHWM`, the most that it had."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


@attrs.frozen
class Peak:
    """What an idle process had."""

    idle: float

    @classmethod
    def begin(cls) -> "Peak":
        """Look at the process, which is idle now."""
        return cls(megabytes("VmRSS"))

    def figures(self) -> dict[str, float]:
        """Return the figure for a block's answer."""
        return {"peak_mb": megabytes("VmHWM") - self.idle}
