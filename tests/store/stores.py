"""Stores written by hand, and what lies in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from enriched import table

from stillwatch.store.kept import Store
from stillwatch.store.manifest import Source, first_no
from stillwatch.store.parts import DayParts


def add(store: Store, rows: list[dict[str, Any]], **source: Any) -> None:
    """Add a source of these rows, of which it is the content."""
    number = len(store.manifest.sources)
    numbered = [row | {"exchange_no": first_no(number) + i} for i, row in enumerate(rows)]
    parts = DayParts(store.folder)
    for batch in table(numbered).to_batches():
        parts.write(batch)
    given = {"number": number, "name": f"{number}.parquet", "digest": f"d{number}", "reading": "", "rejected": {}}
    made = Source(**{**given, "format": "canonical", "rows": len(rows), "columns": ("exchange_id",), **source})
    store.add([made], parts.finish())


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file of a store but its lock, with size and time of writing."""
    found = {str(p.relative_to(folder)): p.stat() for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in found.items()}


def passages(*rows: tuple[int, str]) -> pa.Table:
    return pa.table({"passage": [p for p, _ in rows], "text": [t for _, t in rows],
                     "parties": [5] * len(rows), "whole": [True] * len(rows)})  # fmt: skip
