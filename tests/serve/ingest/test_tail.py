"""Growing and rotated files: every record arrives, once, whatever logrotate does and whenever the watcher stops."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intake_service import cycle, ids, record
from typer.testing import CliRunner

from stillwatch.serve.ingest import tail as tails
from stillwatch.serve.ingest.sink import Sink
from stillwatch.serve.ingest.tail import Tail
from stillwatch.sources.mapping import Chosen


class Kept(Sink):
    """Records as they were taken, in place of a spool."""

    def __init__(self):
        super().__init__(None, joining=False, about=False, chosen=Chosen())
        self.frames = []

    def _bring(self, frame):
        from stillwatch.serve.spool import Payload

        self.frames.append(Payload.decoded(frame))

    @property
    def ids(self) -> list[str]:
        return [i for payload in self.frames for i in payload.rows.column("exchange_id").to_pylist()]


def lines(*numbers: int) -> str:
    return "".join(json.dumps(record(n)) + "\n" for n in numbers)


def named(*numbers: int) -> list[str]:
    return [f"x{n}" for n in numbers]


class Watched:
    def __init__(self, folder: Path, *targets: str):
        self.log = folder / "traffic.jsonl"
        self.sink = Kept()
        self._targets = targets or (str(self.log),)
        self._state = folder.parent / f"{folder.name}-state.json"
        self.restart()

    def restart(self):
        self.tail = Tail(self._targets, self._state, self.sink)

    def write(self, *numbers: int):
        with self.log.open("a") as file:
            file.write(lines(*numbers))

    def poll(self):
        while self.tail.poll():
            pass


@pytest.fixture
def watched(tmp_path):
    (tmp_path / "logs").mkdir()
    return Watched(tmp_path / "logs")


def test_a_file_that_grows_is_read_on_and_a_half_line_waits(watched):
    watched.poll()
    watched.write(1, 2)
    watched.poll()
    with watched.log.open("a") as file:
        file.write(lines(3)[:20])
    watched.poll()
    assert watched.sink.ids == named(1, 2)
    with watched.log.open("a") as file:
        file.write(lines(3)[20:])
    watched.poll()
    assert watched.sink.ids == named(1, 2, 3)


def test_a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_beginning(watched):
    watched.write(1)
    watched.poll()
    watched.write(2)
    watched.log.rename(watched.log.with_name("traffic.jsonl.1"))
    with watched.log.with_name("traffic.jsonl.1").open("a") as file:
        file.write(lines(3))  # the writer has not been told yet
    watched.write(4)
    watched.poll()
    assert sorted(watched.sink.ids) == named(1, 2, 3, 4)


def test_rotation_while_nobody_watched(watched):
    watched.write(1)
    watched.poll()
    watched.write(2)
    watched.log.rename(watched.log.with_name("traffic.jsonl.1"))
    watched.write(3)
    watched.restart()
    watched.poll()
    assert sorted(watched.sink.ids) == named(1, 2, 3)


def copytruncate(log: Path) -> None:
    shutil.copy(log, log.with_name(f"{log.name}.1"))
    with log.open("r+") as file:
        file.truncate(0)


def test_a_file_that_is_copied_and_cut_to_nothing_is_read_on_in_the_copy(watched):
    watched.write(1, 2, 3)
    watched.poll()
    watched.write(4, 5)
    copytruncate(watched.log)
    watched.write(6)
    watched.poll()
    assert sorted(watched.sink.ids) == named(1, 2, 3, 4, 5, 6)


def test_a_file_cut_to_nothing_that_has_grown_beyond_its_place_is_known_by_its_beginning(watched):
    watched.write(1)
    watched.poll()
    copytruncate(watched.log)
    watched.write(2, 3, 4)
    watched.poll()
    assert sorted(watched.sink.ids) == named(1, 2, 3, 4)


@pytest.mark.parametrize("rotate", ["rename", "copy"])
def test_a_folder_of_rotated_files_is_read_once(tmp_path, rotate):
    (tmp_path / "logs").mkdir()
    watched = Watched(tmp_path / "logs", str(tmp_path / "logs"))
    number = 0
    for generation in range(4):
        for _ in range(3):
            watched.write(number)
            number += 1
            watched.poll()
        watched.write(number)
        number += 1
        to = watched.log.with_name(f"traffic.jsonl.{generation}")
        if rotate == "rename":
            watched.log.rename(to)
        else:
            shutil.copy(watched.log, to)
            watched.log.open("r+").truncate(0)
        watched.poll()
    watched.poll()
    assert sorted(watched.sink.ids, key=lambda i: int(i[1:])) == named(*range(number))


def test_a_last_line_without_its_end_is_taken_once_nobody_writes_any_more(watched, monkeypatch):
    monkeypatch.setattr(tails, "GRACE", -1.0)
    watched.log.write_text(lines(1) + lines(2).strip())
    watched.poll()
    assert watched.sink.ids == named(1)
    watched.log.rename(watched.log.with_name("traffic.jsonl.1"))
    watched.write(3)
    watched.poll()
    watched.poll()
    assert sorted(watched.sink.ids) == named(1, 2, 3)


def test_compressed_files_in_a_watched_folder_are_passed_over(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "traffic.jsonl.2.gz").write_bytes(gzip.compress(lines(1).encode()))
    watched = Watched(tmp_path / "logs", str(tmp_path / "logs"))
    watched.write(2)
    watched.poll()
    assert watched.sink.ids == named(2)
    assert not watched.sink.set_aside


def test_what_is_no_record_is_counted_and_the_rest_taken(watched):
    watched.log.write_text("not json\n[1]\n" + lines(1) + "\n" + json.dumps(record(2, time=None)) + "\n")
    watched.poll()
    assert watched.sink.ids == named(1)
    assert dict(watched.sink.set_aside) == {"not JSON": 1, "JSON, but not an object": 1, "no time": 1}


def test_a_crash_between_taking_and_keeping_count_reads_again_and_loses_nothing(watched, monkeypatch):
    watched.write(1, 2)
    with monkeypatch.context() as broken:
        broken.setattr(Tail, "_keep", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            watched.poll()
    watched.restart()
    watched.poll()
    assert set(watched.sink.ids) == set(named(1, 2))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["write", "write", "poll", "rename", "copy", "restart"]), min_size=1, max_size=25))
def test_whatever_happens_in_whatever_order_every_record_arrives(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("logs")
    watched = Watched(folder)
    number = rotated = 0
    watched.write(number)
    watched.poll()
    for step in steps:
        if step == "write":
            number += 1
            watched.write(number)
        elif step == "poll":
            watched.poll()
        elif step == "restart":
            watched.restart()
        elif watched.log.exists() and watched.log.stat().st_size:
            # logrotate rotates once in a poll's time, not faster than anyone can look
            watched.poll()
            number += 1
            watched.write(number)
            rotated += 1
            to = watched.log.with_name(f"traffic.jsonl.{rotated}")
            if step == "rename":
                watched.log.rename(to)
            else:
                shutil.copy(watched.log, to)
                watched.log.open("r+").truncate(0)
            watched.poll()
    watched.poll()
    assert sorted(watched.sink.ids) == sorted(named(*range(number + 1)))


def test_the_command_takes_files_into_the_spool_and_the_store(tmp_path):
    from stillwatch.cli import app

    log = tmp_path / "traffic.jsonl"
    log.write_text(lines(1, 2, 3) + "oops\n")
    arguments = ["watch", str(log), "--folder", str(tmp_path / "data"), "--once"]
    ran = CliRunner().invoke(app, [*arguments, "--store", str(tmp_path / "data" / "store")])
    assert ran.exit_code == 0, ran.output
    assert "3 records taken" in ran.output
    assert "set aside: 1, not JSON" in ran.output
    assert ids(tmp_path / "data") == named(1, 2, 3)
    with log.open("a") as file:
        file.write(lines(4))
    ran = CliRunner().invoke(app, arguments)
    assert "1 records taken" in ran.output
    cycle(tmp_path / "data").drain()
    assert ids(tmp_path / "data") == named(1, 2, 3, 4)


def test_the_commands_log_is_json_and_its_answer_stands_apart(tmp_path):
    packed = tmp_path / "secret-name.jsonl.gz"
    packed.write_bytes(gzip.compress(lines(1).encode()))
    command = [sys.executable, "-m", "stillwatch.cli", "watch", str(packed), "--folder", str(tmp_path), "--once"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    [line] = map(json.loads, ran.stderr.splitlines())
    assert (line["level"], line["logger"]) == ("warning", "stillwatch.watch")
    assert "secret-name" not in ran.stderr
    assert ran.stdout == "0 records taken\n"


def test_a_wrong_format_is_refused_by_name(tmp_path):
    from stillwatch.cli import app

    ran = CliRunner().invoke(app, ["watch", str(tmp_path), "--folder", str(tmp_path / "data"), "--format", "csv"])
    assert "no such format" in str(ran.exception)
