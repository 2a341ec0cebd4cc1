"""`stillwatch store`: verified, compacted, exported."""

from __future__ import annotations

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from enriched import row
from stores import add, files

from stillwatch.errors import InputError
from stillwatch.store import states, upkeep
from stillwatch.store.kept import opened


def silent(done: int, total: int) -> None:
    """No progress."""


@pytest.fixture
def folder(tmp_path):
    """Two days over three sources; `same` is in two of them."""
    with opened(tmp_path / "s") as (store, _):
        add(store, [row(0, "a", [1]), row(1, "b", [2], day=1), row(5, "c", [], exchange_id="same")])
        add(store, [row(2, "a", [3]), row(3, "b", [4], day=1)])
        add(store, [row(4, "a", [5]), row(5, "b", [], exchange_id="same")])
    return tmp_path / "s"


def rows(folder):
    with states.held(folder) as manifest:
        table = ds.dataset([folder / part.name for part in manifest.tables["exchanges"]]).to_table()
    return sorted(table.to_pylist(), key=lambda r: r["exchange_no"])


def test_a_good_store_is_verified(folder):
    found = upkeep.verify(folder, silent)
    assert (found.exchanges, found.parts, found.sources, found.faults) == (7, 5, 3, [])


def test_every_fault_is_told(folder):
    with states.held(folder) as manifest:
        gone, bent, *_ = [part.name for part in manifest.tables["exchanges"]]
    (folder / gone).unlink()
    (folder / bent).write_bytes((folder / bent).read_bytes()[:-1] + b"?")
    (folder / "sketch.key").write_bytes(b"k" * 32)
    assert upkeep.verify(folder, silent).faults == [
        "sketch.key: not the key that the store was made with",
        f"{gone}: cannot be read: No such file or directory",
        f"{bent}: not as it was written (its digest is another)",
    ]


def test_small_parts_of_a_day_are_merged(folder):
    before = rows(folder)
    assert upkeep.compact(folder, silent) == (5, 2)
    assert rows(folder) == before
    assert upkeep.verify(folder, silent).faults == []
    assert len([name for name in files(folder) if name.startswith("exchanges")]) == 2
    unchanged = files(folder)
    assert upkeep.compact(folder, silent) == (2, 2)
    assert files(folder) == unchanged


def test_a_damaged_part_is_not_merged(folder):
    path = next((folder / "exchanges").iterdir())
    path.write_bytes(path.read_bytes() + b"?")
    with pytest.raises(InputError, match="not as it was written"):
        upkeep.compact(folder, silent)


def test_exchanges_are_exported_once_each_a_file_a_day(folder, tmp_path):
    out = tmp_path / "made" / "out"
    assert upkeep.export(folder, out, memory_limit="1GB", threads=1, progress=silent) == 6
    exported = {path.name: pq.read_table(path).to_pylist() for path in sorted(out.iterdir())}
    assert {name: len(found) for name, found in exported.items()} == {"1970-01-01.parquet": 4, "1970-01-02.parquet": 2}
    [same] = [r for r in exported["1970-01-01.parquet"] if r["exchange_id"] == "same"]
    assert same["account_id"] == "b"
    assert [p.name for p in out.parent.iterdir()] == ["out"]


def test_what_is_no_store_stays_as_it_is(tmp_path):
    for work in (upkeep.verify, upkeep.compact):
        with pytest.raises(InputError, match="no store here"):
            work(tmp_path / "none", silent)
    assert list(tmp_path.iterdir()) == []


def test_an_export_overwrites_nothing(folder, tmp_path):
    with pytest.raises(InputError, match="exists: give a new folder"):
        upkeep.export(folder, tmp_path, memory_limit="1GB", threads=1, progress=silent)
