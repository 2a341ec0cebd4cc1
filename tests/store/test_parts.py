"""Exchanges as parts of a day each, however they come."""

from __future__ import annotations

import random

import pyarrow.parquet as pq
import pytest
from enriched import row, table

from stillwatch.store import parts


@pytest.mark.parametrize(("held", "size", "open_at_once"), [(7, 20, 2), (1, 3, 1), (10_000, 10_000, 128)])
def test_every_row_is_in_a_part_of_its_day(tmp_path, monkeypatch, held, size, open_at_once):
    monkeypatch.setattr(parts, "HELD", held)
    monkeypatch.setattr(parts, "PART_ROWS", size)
    monkeypatch.setattr(parts, "OPEN", open_at_once)
    (tmp_path / "exchanges").mkdir()
    draw = random.Random(held)
    rows = [row(i, "a", [i], day=draw.randrange(-2, 5)) for i in range(100)]
    written = parts.DayParts(tmp_path)
    made = []
    for start in range(0, 100, 9):
        for batch in table(rows[start : start + 9]).to_batches():
            written.write(batch)
        if start == 45:
            made += written.finish()
    made += written.finish()
    assert written.finish() == []
    seen = []
    for part in made:
        found = pq.read_table(tmp_path / part.name)
        assert (set(found["day"].to_pylist()), found.num_rows) == ({part.day}, part.rows)
        assert parts.digest(tmp_path / part.name) == part.digest
        seen += found["exchange_no"].to_pylist()
    assert sorted(seen) == list(range(100))
