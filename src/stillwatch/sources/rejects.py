"""What could not be used: counted by reason, and written down with place and reason but never with its text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import orjson

from stillwatch.errors import EnvironmentFailure


class Rejects:
    """Counts every record and file that was set aside, and every remark about what was repaired on the way.

    One JSON object a line goes to `path`, which is made at the first rejection: `place` (file and line or row),
    `reason`, and `field` and `file` where they apply. Reasons are fixed sentences, so no text of a prompt can get in.
    Repeated exchange ids are not rejections and are not counted here.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.count = 0
        self.files = 0
        self.by_reason: dict[str, int] = {}
        self._remarks: Counter[str] = Counter()
        self._first_place: dict[str, str] = {}
        self._lines: list[str] = []
        self._out: BinaryIO | None = None

    def add(self, place: str, reason: str, field: str | None = None, *, file: bool = False) -> None:
        """Set aside the record (or the whole file) at `place`; raises EnvironmentFailure where it cannot be noted."""
        self.count += 1
        self.files += file
        self.by_reason[reason] = self.by_reason.get(reason, 0) + 1
        if self.path is None:
            return
        line: dict[str, object] = {"place": _printable(place), "reason": reason}
        if field is not None:
            line["field"] = field
        if file:
            line["file"] = True
        try:
            if self._out is None:
                self._out = self.path.open("wb")
            self._out.write(orjson.dumps(line) + b"\n")
        except OSError as failure:
            raise EnvironmentFailure(f"{self.path}: cannot note rejected records: {failure.strerror}") from failure

    def remark(self, what: str, place: str, times: int = 1) -> None:
        """Count something that was repaired or left empty; told once for each `what`, with the first place."""
        self._remarks[what] += times
        self._first_place.setdefault(what, _printable(place))

    def note(self, line: str) -> None:
        """Add one finished line to the warnings."""
        self._lines.append(_printable(line))

    @property
    def warnings(self) -> list[str]:
        """One line for each kind of remark, with how often and where first."""
        counted = [
            f"{what}: {times:,} {'time' if times == 1 else 'times'}, first at {self._first_place[what]}"
            for what, times in self._remarks.items()
        ]
        return counted + self._lines

    def close(self) -> None:
        """Finish the file; raises EnvironmentFailure where the last lines do not fit on the disk."""
        if self._out is None:
            return
        out, self._out = self._out, None
        try:
            out.close()
        except OSError as failure:
            raise EnvironmentFailure(f"{self.path}: cannot note rejected records: {failure.strerror}") from failure

    def __enter__(self) -> Rejects:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _printable(place: str) -> str:
    """Paths may hold bytes that are not UTF-8, which Python carries as lone surrogates and JSON cannot."""
    return place.encode("utf-8", "replace").decode()
