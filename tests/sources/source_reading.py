"""Reading as the tests do it: everything at once, checking what holds of every source."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from stillwatch.errors import InputError
from stillwatch.sources import Rejects, discover, read
from stillwatch.tables import EXCHANGES


@dataclass
class Outcome:
    """What came of reading: rows, what was set aside (as written to the file), remarks, and an error's line."""

    rows: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    rejects: Rejects
    error: str | None
    formats: dict[str, int]

    @property
    def reasons(self) -> dict[str, int]:
        return self.rejects.by_reason

    @property
    def warnings(self) -> list[str]:
        return self.rejects.warnings

    @property
    def row(self) -> dict[str, Any]:
        assert len(self.rows) == 1, (len(self.rows), self.reasons, self.error)
        return self.rows[0]


def outcome(*targets: Path | str, folder: Path, batch_rows: int = 16_384, **options: Any) -> Outcome:
    """Discover and read, checking on the way what holds of every source."""
    path = folder / "rejected.jsonl"
    path.unlink(missing_ok=True)
    rows: list[dict[str, Any]] = []
    error, formats = None, {}
    with Rejects(path) as rejects:
        try:
            kept = {k: v for k, v in options.items() if k in ("format", "accounts", "models", "join")}
            inputs = discover([str(t) for t in targets], rejects=rejects, **kept)
            formats = inputs.formats
            passed = {k: v for k, v in options.items() if k in ("join", "mapping")}
            for batch in read(inputs, rejects=rejects, batch_rows=batch_rows, **passed):
                assert batch.schema.equals(EXCHANGES.schema, check_metadata=True)
                batch.validate(full=True)
                assert 0 < batch.num_rows <= batch_rows
                for column in EXCHANGES.columns:
                    assert not column.required or batch.column(column.name).null_count == 0
                rows.extend(batch.to_pylist())
        except InputError as problem:
            error = str(problem)
            assert "\n" not in error
    rejected = [json.loads(line) for line in path.read_bytes().split(b"\n") if line] if path.exists() else []
    assert len(rejected) == rejects.count == sum(rejects.by_reason.values())
    return Outcome(rows, rejected, rejects, error, formats)


def pack(content: bytes, name: str) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(content)
    return zstandard.compress(content) if name.endswith(".zst") else content
