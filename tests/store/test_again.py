"""Single exchanges are found again by their numbers, over files and row groups."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.store.again import picked, rows_of


def test_texts_come_by_number_whatever_files_and_groups_they_lie_in(tmp_path):
    texts = [f"prompt {i}" if i % 7 else None for i in range(95)]
    paths = []
    for n, (start, end, group, coded) in enumerate([(0, 40, 7, True), (40, 41, 10, False), (41, 95, 50, True)]):
        paths.append(tmp_path / f"{n}.parquet")
        columns = {"prompt": pa.array(texts[start:end], pa.large_string() if n == 2 else pa.string())}
        if n != 1:
            columns["system_prompt"] = pa.array(["the same"] * (end - start))
        pq.write_table(pa.table(columns), paths[-1], row_group_size=group, use_dictionary=coded)
    numbers = np.array([0, 1, 6, 7, 8, 39, 40, 41, 90, 94])
    batches = list(picked(paths, numbers))
    assert [t for b in batches for t in b.column("prompt").to_pylist()] == [texts[n] for n in numbers]
    system = [t for b in batches for t in b.column("system_prompt").to_pylist()]
    assert system == [None if n == 40 else "the same" for n in numbers]
    assert [rows_of(path) for path in paths] == [40, 1, 54]


def test_what_is_no_plain_text_is_read_as_at_first(tmp_path):
    pq.write_table(pa.table({"prompt": pa.array([b"bytes"])}), tmp_path / "bytes.parquet")
    (tmp_path / "log.jsonl").write_text("{}\n")
    assert rows_of(tmp_path / "bytes.parquet") is None
    assert rows_of(tmp_path / "log.jsonl") is None
