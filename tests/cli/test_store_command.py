"""`stillwatch scan --store` and `stillwatch store`, as they are typed."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("stillwatch")


def test_a_store_from_the_first_scan_to_an_export(stillwatch, traffic):
    lines = traffic.read_text().splitlines(keepends=True)
    for name, some in (("one", lines[:100]), ("two", [*lines[100:], "oops\n"])):
        Path(f"{name}.jsonl").write_text("".join(some))
        ended = stillwatch("scan", f"{name}.jsonl", "--store", "s", "--out", "r")
        assert ended.status == 0
    assert "300 exchanges of 7 accounts were read." in ended.out
    assert ended.err == "records or files set aside: 1, those of this scan listed in r/rejected.jsonl\n"
    assert stillwatch("store", "verify", "s").out == "300 exchanges of 2 sources in 2 parts: all as written\n"
    assert stillwatch("store", "compact", "s").out == "2 parts of exchanges were 1 when done\n"
    assert stillwatch("store", "compact", "s").out == "nothing to merge\n"
    assert stillwatch("store", "export", "s", "days").out == "300 exchanges in days\n"
    assert [p.name for p in Path("days").iterdir()] == ["2026-02-02.parquet"]
    part = next(Path("s/exchanges").iterdir())
    part.write_bytes(b"PAR1")
    ended = stillwatch("store", "verify", "s")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.splitlines() == [
        f"exchanges/{part.name}: not as it was written (its digest is another)",
        "stillwatch: s: not as it was written; bring it back from a copy, or scan into a new one",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "gone"], "gone: no store here"),
        (["compact", "in"], "in: no store here"),
        (["export", "in"], "store export: give the folder to export into"),
        (["export", "in", "in"], "in exists: give a new folder"),
        (["verify", "in", "out"], "store verify: takes no OUT"),
        (["burn", "in"], "Invalid value for 'ACTION'"),
    ],
)
def test_what_cannot_be_done_is_one_line(stillwatch, traffic, tmp_path, *, arguments, said):
    assert stillwatch("store", *arguments).line(2).startswith(said)
    assert {p.name for p in tmp_path.iterdir()} == {"in"}


@pytest.mark.parametrize("size", [500, 4_096])
def test_a_disk_that_is_full_damages_nothing(traffic, tmp_path, size):
    ended = subprocess.run(
        [PROGRAM, "scan", traffic, "--store", tmp_path / "s", "--out", tmp_path / "r"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
    assert ended.returncode == 4
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"stillwatch: {tmp_path / 's'}: cannot write: a file would be larger than is allowed")
    assert not (tmp_path / "r").exists()
    again = [PROGRAM, "scan", traffic, "--store", tmp_path / "s", "--out", tmp_path / "r"]
    assert subprocess.run(again, check=False, capture_output=True, timeout=120).returncode == 0
