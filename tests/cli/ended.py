"""How a command ended, and what it left behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    def line(self, status: int) -> str:
        """The one line of an error with this exit status."""
        assert (self.status, self.out) == (status, ""), self
        [line] = self.err.splitlines()
        assert line.startswith("stillwatch: ")
        assert "Traceback" not in line
        return line.removeprefix("stillwatch: ")


def leftovers(folder: Path) -> list[str]:
    """What a command left behind beside its results."""
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))
