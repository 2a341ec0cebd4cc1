"""A store on disk: states published whole, held by readers, cleared away; its key, its lock, its refusals."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading

import pyarrow.parquet as pq
import pytest
from enriched import row
from stores import add, files, passages

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.store import states
from stillwatch.store.kept import beside, opened
from stillwatch.store.manifest import Manifest, first_no, place_of


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "s"


def changed(folder, **values):
    """Write other values into the newest manifest, as another Stillwatch would have."""
    path = states.path_of(folder, states.numbers(folder)[-1])
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_store_has_a_secret_key_of_its_own(folder):
    with opened(folder) as (_, gear):
        assert not gear.published
    key = folder / "sketch.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32
    with opened(folder) as (_, again):
        assert (again.table == gear.table).all()
    with opened(folder.with_name("t")) as (_, other):
        assert (other.table != gear.table).any()
    assert key.read_bytes().hex() not in states.path_of(folder, 1).read_text()


def test_a_key_that_is_given_is_not_kept(folder, tmp_path):
    (tmp_path / "key").write_bytes(b"k" * 32)
    with opened(folder, tmp_path / "key"):
        pass
    assert not (folder / "sketch.key").exists()
    with pytest.raises(InputError, match="made with a key that is not in it: give the same with --sketch-key-file"):
        opened(folder).__enter__()


def test_numbers_of_exchanges_count_down_by_source_and_up_within():
    assert place_of(first_no(7) + 123) == (7, 123)
    assert 0 < first_no(8) + 5 < first_no(7) < first_no(0) + 2**32 - 1 < 2**63


def test_what_was_added_is_there_when_opened_again(folder):
    with opened(folder) as (store, _):
        add(store, [row(0, "a", [1]), row(1, "b", [2], day=1)])
        store.replace({"passages": passages((1, "text"))})
    with opened(folder) as (store, _):
        assert store.manifest.rows == 2
        assert [part.day for part in store.manifest.tables["exchanges"]] == [0, 1]
        assert store.source("d0").rows == 2
        assert store.table("passages")["text"].to_pylist() == ["text"]


def test_the_same_rows_are_no_new_state(folder):
    with opened(folder) as (store, _):
        store.replace({"passages": passages((1, "text"))})
        before = files(folder)
        store.replace({"passages": passages((1, "text"))})
        assert files(folder) == before


def test_what_no_state_names_is_removed(folder):
    with opened(folder) as (store, _):
        add(store, [row(0, "a", [1])])
        store.replace({"passages": passages((1, "text"))})
        store.replace({"passages": passages((1, "text"), (2, "more"))})
        assert states.numbers(folder) == [4]
        assert set(files(folder)) == {"manifest-4.json", "sketch.key", *store.manifest.files()}
    (folder / "exchanges" / "0-left.parquet").write_text("by a run that was killed")
    (folder / ".manifest-5.json.99").write_text("")
    with opened(folder) as (store, _):
        assert set(files(folder)) == {"manifest-4.json", "sketch.key", *store.manifest.files()}


def test_a_reader_keeps_what_it_holds(folder):
    with opened(folder) as (store, _):
        store.replace({"passages": passages((1, "old"))})
        with states.held(folder) as seen:
            store.replace({"passages": passages((1, "new"))})
            [part] = seen.tables["passages"]
            assert pq.read_table(folder / part.name)["text"].to_pylist() == ["old"]
            assert len(states.numbers(folder)) == 2
        store.replace({"passages": passages((1, "newer"))})
        assert len(states.numbers(folder)) == 1
        assert not (folder / part.name).exists()


def test_a_state_is_published_only_where_there_is_none_of_its_number(folder):
    with opened(folder) as (store, _):
        with pytest.raises(EnvironmentFailure, match="another process has published it"):
            states.publish(folder, store.manifest)
        assert [p.name for p in folder.glob(".*")] == []


def test_a_store_that_is_held_stays_as_it_was_and_writes_upon_what_is_newest(folder):
    with opened(folder) as (store, own):
        add(store, [row(0, "a", [1])])
        store.replace({"passages": passages((1, "old"))})
    with beside(folder) as (seen, gear):
        assert (gear.table == own.table).all()
        with opened(folder) as (store, _):
            add(store, [row(1, "b", [2])])
            store.replace({"passages": passages((1, "new"))})
        assert seen.manifest.rows == 1
        assert seen.table("passages")["text"].to_pylist() == ["old"]
        with seen.turn() as now:
            assert now.table("passages")["text"].to_pylist() == ["new"]
            now.replace({"passages": passages((1, "new"), (2, "more"))})
        assert seen.table("passages")["text"].to_pylist() == ["old"]
    with opened(folder) as (store, _):
        assert store.manifest.rows == 2
        assert store.table("passages")["text"].to_pylist() == ["new", "more"]


def test_a_writer_waits_for_its_turn(folder, monkeypatch):
    monkeypatch.setattr(states, "PATIENCE", 0.0)
    with opened(folder) as (store, _):
        add(store, [row(0, "a", [1])])
    entered, written = threading.Event(), []

    def write() -> None:
        with beside(folder) as (seen, _):
            entered.set()
            with seen.turn() as now:
                written.append(now.manifest.rows)

    with opened(folder) as (store, _):
        other = threading.Thread(target=write)
        other.start()
        entered.wait(10)
        add(store, [row(1, "b", [2])])
        assert written == []
    other.join(10)
    assert written == [2]


def test_one_writer_at_a_time_and_a_dead_ones_lock_is_nothing(folder, monkeypatch):
    monkeypatch.setattr(states, "PATIENCE", 0.1)
    with opened(folder), pytest.raises(EnvironmentFailure, match=f"process {os.getpid()} is writing to this store"):
        opened(folder).__enter__()
    program = f"import os; from stillwatch.store.states import alone; from pathlib import Path\n\
with alone(Path({str(folder)!r})): os._exit(9)"
    subprocess.run([sys.executable, "-c", program], check=False)
    assert (folder / "writer.lock").read_text().strip() not in ("", str(os.getpid()))
    with opened(folder):
        assert (folder / "writer.lock").read_text().strip() == str(os.getpid())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sketch_version": 0}, "its passages are of version 0 of the sketch .* scan its sources into a new store"),
        ({"schemas": {"exchanges": "x"}}, "its exchanges have other columns .* scan its sources into a new store"),
        ({"format": 99, "written_by": "9.9"}, r"a store of format 99: use the Stillwatch that wrote it \(9.9\)"),
        ({"key_id": "x"}, "sketch.key: not the key that the store was made with"),
        ({"tables": 3}, "manifest-1.json: damaged: bring the store back from a copy"),
    ],
)
def test_what_does_not_match_is_refused_in_one_line(folder, values, said):
    with opened(folder):
        pass
    changed(folder, **values)
    before = files(folder)
    with pytest.raises(InputError, match=said) as refused:
        opened(folder).__enter__()
    assert "\n" not in str(refused.value)
    assert files(folder) == before


def test_another_key_is_refused(folder, tmp_path):
    with opened(folder):
        pass
    (tmp_path / "key").write_bytes(b"k" * 32)
    with pytest.raises(InputError, match=r"not the key of the store .*: leave --sketch-key-file out"):
        opened(folder, tmp_path / "key").__enter__()


def test_a_folder_of_something_else_is_refused(folder):
    folder.mkdir()
    (folder / "thesis.tex").touch()
    with pytest.raises(InputError, match="holds something other than a store"):
        opened(folder).__enter__()
    assert [p.name for p in folder.iterdir()] == ["thesis.tex"]


def test_a_making_that_was_killed_is_gone_on_with(folder):
    folder.mkdir()
    (folder / "writer.lock").touch()
    (folder / "sketch.key").write_bytes(b"k" * 32)
    with opened(folder) as (store, _):
        assert store.manifest == Manifest.empty(store.manifest.key_id)
