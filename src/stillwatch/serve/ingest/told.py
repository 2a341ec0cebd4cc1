"""What could not be taken of a batch, for the answer to its sender: counts by reason, and where the first stood."""

from __future__ import annotations

from typing import Any

from stillwatch.sources import Rejects

# Enough to find what is wrong; a batch of a thousand bad records has mostly one reason.
LISTED = 20


class Told(Rejects):
    """Rejects that remember the first places. Reasons are fixed sentences; no text of a record gets in."""

    def __init__(self) -> None:
        super().__init__(None)
        self.first: list[dict[str, Any]] = []

    def add(self, place: str, reason: str, field: str | None = None, *, file: bool = False) -> None:
        """Set aside the record at `place`."""
        super().add(place, reason, field, file=file)
        if len(self.first) < LISTED:
            self.first.append({"place": place, "reason": reason} | ({"field": field} if field else {}))

    @property
    def sentence(self) -> str:
        """The reasons and how often each, in one line; empty where nothing was set aside."""
        return "; ".join(f"{reason}: {n:,}" for reason, n in sorted(self.by_reason.items(), key=lambda r: (-r[1], r)))
