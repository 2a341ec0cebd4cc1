"""The exchanges that came last are those of the last sources, and of one source its last, whatever their days."""

from __future__ import annotations

import pyarrow.parquet as pq
from enriched import row
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import add

from stillwatch.store import newest, parts, upkeep
from stillwatch.store.kept import opened
from stillwatch.store.manifest import place_of

SOURCES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(SOURCES, st.integers(1, 60), st.integers(1, 5), st.booleans())
def test_those_that_came_last_are_written_whole(tmp_path_factory, days, rows, group, merged):
    folder = tmp_path_factory.mktemp("newest")
    came = []
    with opened(folder / "s") as (store, _):
        for number, of in enumerate(days):
            add(store, [row(n, f"a{n % 3}", [n, 7], day=day) for n, day in enumerate(of)])
            came += [(number, n) for n in range(len(of))]
        if merged:
            store.fold({source.number for source in store.manifest.sources})
    if merged:
        upkeep.compact(folder / "s", lambda _, __: None)
    with opened(folder / "s") as (store, _):
        for part in store.manifest.tables["exchanges"]:  # in several row groups, as large parts are
            whole = pq.read_table(folder / "s" / part.name)
            with parts.enriched_writer(folder / "s" / part.name) as writer:
                writer.write_table(whole, row_group_size=group)
        written = newest.write_newest(folder / "s", store.manifest, rows, folder / "out.parquet")
        everything = [pq.read_table(folder / "s" / part.name) for part in store.manifest.tables["exchanges"]]
    found = pq.read_table(folder / "out.parquet").to_pylist()
    assert written == len(found) == min(rows, len(came))
    assert sorted(place_of(one["exchange_no"]) for one in found) == came[-rows:]
    told = {one["exchange_no"]: one for table in everything for one in table.to_pylist()}
    assert all(told[one["exchange_no"]] == one for one in found)


def test_a_merged_part_may_hold_what_came_last_beside_what_came_first(tmp_path):
    with opened(tmp_path / "s") as (store, _):
        add(store, [row(n, "a", [n], day=0) for n in range(5)])
        add(store, [row(n, "a", [n], day=n % 2) for n in range(10)])
    upkeep.compact(tmp_path / "s", lambda _, __: None)
    with opened(tmp_path / "s") as (store, _):
        newest.write_newest(tmp_path / "s", store.manifest, 5, tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet", columns=["exchange_no"])["exchange_no"].to_pylist()
    assert sorted(map(place_of, found)) == [(1, n) for n in range(5, 10)]


def test_older_parts_are_not_read(tmp_path, monkeypatch):
    with opened(tmp_path / "s") as (store, _):
        for _ in range(5):
            add(store, [row(n, "a", [n]) for n in range(10)])
        read = []
        whole = pq.ParquetFile.read_row_group

        def reading(file, number, **given):
            read.append(number)
            return whole(file, number, **given)

        monkeypatch.setattr(pq.ParquetFile, "read_row_group", reading)
        assert newest.write_newest(tmp_path / "s", store.manifest, 15, tmp_path / "out.parquet") == 15
    assert len(read) == 4  # of two parts of five, their numbers and their rows
