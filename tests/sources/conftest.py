"""Fixtures that write files and read them back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_reading import Outcome, outcome, pack


@pytest.fixture
def scan(tmp_path: Path) -> Callable[..., Outcome]:
    """Read targets; options go to discover and read."""
    folder = tmp_path / "out"
    folder.mkdir()
    return lambda *targets, **options: outcome(*targets, folder=folder, **options)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write records as JSON lines (bytes as they are), packed as the name says."""

    def write_lines(name: str, records: Iterable[dict[str, Any] | bytes]) -> Path:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [r if isinstance(r, bytes) else json.dumps(r, ensure_ascii=False).encode() for r in records]
        path.write_bytes(pack(b"\n".join(lines) + b"\n" if lines else b"", name))
        return path

    return write_lines


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write an Arrow table as Parquet."""

    def write_table(name: str, columns: dict[str, Any], **options: Any) -> Path:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path, **options)
        return path

    return write_table
