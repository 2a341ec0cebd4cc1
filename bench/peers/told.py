"""What a peer's process tells: scores of accounts under each of its settings, and of windows where it judges those."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

Scores = dict[str, float]


@dataclass(slots=True)
class Told:
    """settings: for each, a score by account: above 0, higher is more suspect; 0 or absent where nothing is known.
    windows: for each, scores by share.
    """

    settings: dict[str, Scores] = field(default_factory=dict)
    windows: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Written whole after each setting, so that a peer that is stopped has told what it had finished."""
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({"settings": self.settings, "windows": self.windows}), "utf-8")
        unfinished.replace(path)


def read_told(path: Path) -> Told:
    """What was told, nothing where there is no file."""
    return Told(**json.loads(path.read_text("utf-8"))) if path.exists() else Told()
