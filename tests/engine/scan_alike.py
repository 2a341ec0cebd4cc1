"""Whether two scans found the same: every table row for row, the document word for word, probabilities to 1e-6."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

TABLES = ("accounts", "memberships", "pools", "workloads", "campaigns", "evidence", "links")


def assert_alike(found: Path, expected: Path) -> None:
    for name in TABLES:
        _alike(_table(found / f"{name}.parquet"), _table(expected / f"{name}.parquet"), name)
    _alike(_table(found / "exchanges"), _table(expected / "exchanges"), "exchanges")
    _alike(json.loads((found / "findings.json").read_text()), json.loads((expected / "findings.json").read_text()), "")
    assert (found / "rejected.jsonl").read_text() == (expected / "rejected.jsonl").read_text()


def _table(path: Path) -> list[dict[str, Any]]:
    partitioning = "hive" if path.is_dir() else None
    return list(ds.dataset(path, partitioning=partitioning).to_table().to_pylist())


def _alike(found: Any, expected: Any, where: str) -> None:
    """Equal, and numbers with a fraction to 1e-6."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            _alike(found[key], value, f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for n, value in enumerate(expected):
            _alike(found[n], value, f"{where}[{n}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-6), where
    else:
        assert found == expected, where
