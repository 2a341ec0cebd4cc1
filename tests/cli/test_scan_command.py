"""`stillwatch scan`: exit statuses, one line an error, and a result folder that is whole or as it was."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ended import leftovers

from stillwatch import cli
from stillwatch.outputs import publish
from stillwatch.scan import stages

PROGRAM = Path(sys.executable).with_name("stillwatch")


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_nothing_found_is_zero(stillwatch, traffic, tmp_path):
    ended = stillwatch("scan", traffic)
    assert (ended.status, ended.err) == (0, "")
    assert "No campaign was found" in ended.out
    assert "stillwatch-out/report.html" in ended.out
    assert (tmp_path / "stillwatch-out" / "findings.json").exists()
    assert leftovers(tmp_path) == []


def test_what_was_set_aside_is_told(stillwatch, traffic):
    with traffic.open("a") as file:
        file.write("oops\n" + traffic.read_text().splitlines()[0] + "\n")
    ended = stillwatch("scan", traffic, "--out", "r")
    assert ended.status == 0
    assert ended.err.splitlines() == [
        "records or files set aside: 1, listed in r/rejected.jsonl",
        "records that repeat an exchange_id, counted once: 1",
    ]
    assert json.loads(Path("r/rejected.jsonl").read_text())["reason"] == "not JSON"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone"], "gone: no usable traffic: no such file or folder"),
        (["empty.jsonl"], "empty.jsonl: no usable traffic: empty file"),
        (["late.jsonl"], "late.jsonl: no usable record; most often: time before 2020 or after 2100"),
        (["in", "--format", "x"], "--format x: no such format"),
        (["in", "--accounts", "gone"], "gone: no such file; expected accounts"),
        (["in", "--models", "empty.jsonl"], "empty.jsonl: empty file; expected models"),
        (["in", "--join", "gone"], "--join gone: no such file"),
        (["in", "--mapping", "gone"], "gone: cannot read the mapping file"),
        (["in", "--sketch-key-file", "gone"], "gone: cannot read the sketch key"),
        (["in", "--sketch-key-file", "empty.jsonl"], "empty.jsonl: a sketch key has at least 16 bytes"),
        (["in", "--engine", "flink"], "--engine flink: no such engine; use duckdb or spark"),
        (["in", "--store", "in"], "in holds something other than a store"),
        (["in", "--store", "empty.jsonl"], "empty.jsonl is not a folder: give --store"),
        (["in", "--out", "in"], "in holds something other than an earlier result"),
        (["in", "--out", "empty.jsonl"], "empty.jsonl is not a folder"),
        (["in", "--k", "1"], "--k: Input should be greater than or equal to 2"),
        (["in", "--memory-limit", "lots"], "--memory-limit: 'lots' is no amount of memory"),
        (["in", "--nosuch"], "No such option: --nosuch"),
        ([], "Missing argument 'TRAFFIC"),
    ],
)
def test_unusable_input_is_one_line_and_two(stillwatch, traffic, tmp_path, *, arguments, said):
    Path("empty.jsonl").touch()
    Path("late.jsonl").write_text('{"exchange_id": "e", "account_id": "a", "time": "2200-01-01T00:00:00Z"}\n' * 3)
    before = set(tmp_path.iterdir())
    assert stillwatch("scan", *arguments).line(2).startswith(said)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("STILLWATCH_K", "many", "STILLWATCH_K: Input should be a valid integer"),
        ("STILLWATCH_THREADS", "0", "STILLWATCH_THREADS: Input should be greater than or equal to 1"),
    ],
)
def test_a_bad_variable(stillwatch, traffic, monkeypatch, *, variable, value, said):
    monkeypatch.setenv(variable, value)
    assert stillwatch("scan", traffic).line(2).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("k = 0", "stillwatch.toml: k: Input should be greater"),
        ("speed = 9", "stillwatch.toml: speed: no such setting"),
        ("k = ", "stillwatch.toml: "),
    ],
)
def test_a_bad_file_of_settings(stillwatch, traffic, text, said):
    Path("stillwatch.toml").write_text(text)
    assert stillwatch("scan", traffic).line(2).startswith(said)


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(stillwatch, traffic, monkeypatch):
    Path("stillwatch.toml").write_text("k = 7\nbatch_rows = 11\nthreads = 3\n")
    monkeypatch.setenv("STILLWATCH_K", "8")
    monkeypatch.setenv("STILLWATCH_THREADS", "2")
    assert stillwatch("scan", traffic, "--k", 9, "--out", "r").status == 0
    settings = json.loads(Path("r/findings.json").read_text())["settings"]
    assert (settings["k"], settings["threads"], settings["batch_rows"]) == (9, 2, 11)


def test_an_earlier_result_is_replaced_by_a_good_scan_only(stillwatch, traffic):
    assert stillwatch("scan", traffic, "--out", "r").status == 0
    before = content(Path("r"))
    assert stillwatch("scan", "gone", "--out", "r").status == 2
    assert content(Path("r")) == before
    traffic.write_text("".join(traffic.read_text().splitlines(keepends=True)[:200]))
    assert stillwatch("scan", traffic, "--out", "r").status == 0
    assert json.loads(Path("r/findings.json").read_text())["traffic"]["exchanges"] == 200
    assert leftovers(Path()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, "broken")])
def test_an_earlier_result_is_put_back_when_publishing_breaks_off(tmp_path, monkeypatch, error):
    out = tmp_path / "r"
    out.mkdir()
    (out / publish.MARK).write_text("old")
    rename = Path.rename

    def broken(path, target):
        if Path(target) == out and not path.name.endswith(".old"):
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises((KeyboardInterrupt, publish.EnvironmentFailure)), publish.published(out) as folder:
        (folder / publish.MARK).write_text("new")
    assert {p.name: p.is_dir() for p in tmp_path.iterdir()} == {"r": True}
    assert (out / publish.MARK).read_text() == "old"


KILLED = """
import os, pathlib, signal, sys
from stillwatch.outputs.publish import own_folder
with own_folder(pathlib.Path(sys.argv[1]), "r", "no") as folder:
    (folder / "large").write_text("half of it")
    print(folder.name, flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_or_not_ours_stays(tmp_path, monkeypatch):
    def left(folder):
        return {p.name for p in folder.iterdir()}

    started = [
        subprocess.Popen(
            [sys.executable, "-c", KILLED, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    dead, living = (p.stdout.readline().strip() for p in started)
    started[0].communicate()
    (tmp_path / ".r.original").mkdir()
    for seconds, gone in ((publish.ABANDONED_SECONDS, set()), (0, {dead})):
        monkeypatch.setattr(publish, "ABANDONED_SECONDS", seconds)
        with publish.own_folder(tmp_path, "r", "no") as own:
            assert left(tmp_path) == {dead, living, ".r.original", own.name} - gone
    started[1].communicate()
    with publish.own_folder(tmp_path, "r", "no"):
        pass
    assert left(tmp_path) == {".r.original"}


def test_a_result_that_was_taken_away_and_not_replaced_is_put_back(tmp_path):
    old = tmp_path / ".r.stillwatch-abcdefgh.old"
    old.mkdir()
    (old / publish.MARK).write_text("old")
    out = tmp_path / "r"
    with pytest.raises(ZeroDivisionError), publish.published(out) as folder:
        assert (out / publish.MARK).read_text() == "old"
        (folder / publish.MARK).write_text("new")
        raise ZeroDivisionError
    assert {p.name for p in tmp_path.iterdir()} == {"r"}


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (OSError(errno.ENOSPC, "No space"), 4, "cannot write r: the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied"), 4, "cannot write r: Permission denied"),
        (MemoryError(), 4, "out of memory"),
        (KeyboardInterrupt(), 130, "interrupted; nothing was published, r is as it was"),
    ],
)
def test_what_happens_in_the_middle(stillwatch, traffic, tmp_path, monkeypatch, *, error, status, said):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(stages, "write_results", fail)
    monkeypatch.setattr(cli, "interrupts", cli._Interrupts())
    assert stillwatch("scan", traffic, "--out", "r").line(status).startswith(said)
    assert {p.name for p in tmp_path.iterdir()} == {"in"}


def test_too_little_memory(stillwatch, traffic, tmp_path):
    assert "memory" in stillwatch("scan", traffic, "--memory-limit", "1MB").line(4).lower()
    assert {p.name for p in tmp_path.iterdir()} == {"in"}


def test_a_fault_of_our_own_is_not_hidden(stillwatch, traffic, monkeypatch):
    monkeypatch.setattr(stages, "write_results", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stillwatch("scan", traffic)


def process(*arguments: object, **options: object) -> subprocess.Popen[str]:
    command = [str(PROGRAM), *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **{"stdout": subprocess.PIPE, **options})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(tmp_path, number):
    pipe = tmp_path / "traffic.jsonl"
    record = '{{"exchange_id": "e{0}", "time": "2026-02-02T00:00:00Z", "account_id": "a"}}\n'
    pipe.write_text("".join(record.format(i) for i in range(400_000)))
    running = process("scan", pipe, "--out", tmp_path / "r")
    deadline = time.monotonic() + 60
    while not leftovers(tmp_path) and time.monotonic() < deadline:  # it has begun to work
        time.sleep(0.02)
    running.send_signal(number)
    time.sleep(0.01)
    running.send_signal(number)  # impatience changes nothing
    _, said = running.communicate(timeout=60)
    assert (running.returncode, said) == (
        130,
        f"stillwatch: interrupted; nothing was published, {tmp_path / 'r'} is as it was\n",
    )
    assert {p.name for p in tmp_path.iterdir()} == {"traffic.jsonl"}


def test_files_that_may_not_grow(traffic, tmp_path):
    running = process(
        "scan",
        traffic,
        "--out",
        tmp_path / "r",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096)),
    )
    _, said = running.communicate(timeout=60)
    assert running.returncode == 4
    assert len(said.splitlines()) == 1
    assert {p.name for p in tmp_path.iterdir()} == {"in"}


def test_a_reader_that_leaves_changes_nothing(traffic, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    running = process("scan", traffic, "--out", tmp_path / "r", stdout=writing)
    os.close(writing)
    _, said = running.communicate(timeout=60)
    assert (running.returncode, said) == (0, "")
    assert (tmp_path / "r" / "findings.json").exists()


def test_a_traceback_only_where_it_is_asked_for(tmp_path):
    running = process("scan", "gone", cwd=tmp_path, env={**os.environ, "STILLWATCH_DEBUG": "1"})
    _, said = running.communicate(timeout=60)
    assert "Traceback" in said
    assert "InputError" in said
