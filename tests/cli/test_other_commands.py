"""explain, simulate, demo, and the program itself."""

import json
from pathlib import Path

from stillwatch import __version__


def test_version_and_help(stillwatch):
    assert stillwatch("--version").out == f"stillwatch {__version__}\n"
    bare = stillwatch()
    assert (bare.status, bare.out) == (2, "")
    assert "Usage: stillwatch" in bare.err
    assert "--accounts" in stillwatch("scan", "--help").out


def test_a_misspelt_command(stillwatch):
    assert stillwatch("scna").line(2) == "No such command 'scna'. Did you mean 'scan'?"


def test_explain(stillwatch, traffic):
    stillwatch("scan", traffic, "--out", "r")
    ended = stillwatch("explain", "r", "a3")
    assert (ended.status, ended.err) == (0, "")
    assert "Nothing was found against this account" in ended.out
    assert stillwatch("explain", "r", "a99").line(2).startswith("a99: no account, exchange, pool")
    assert stillwatch("explain", "in", "a3").line(2) == "in is not a result of scan: findings.json is missing"


def test_simulate(stillwatch):
    ended = stillwatch("simulate", "w", "--exchanges", 6_000, "--seed", 3)
    assert ended.status == 0
    assert "6,000 exchanges" in ended.out
    assert Path("w/truth_accounts.parquet").exists()
    assert stillwatch("simulate", "w2", "--world", "nowhere").status == 2
    assert not Path("w2").exists()


def test_demo(stillwatch):
    ended = stillwatch("demo", "--exchanges", 6_000)
    assert (ended.status, ended.err) == (0, "")
    assert "Beside the truth" in ended.out
    assert "demo/findings/report.html" in ended.out.replace("\n", "")
    document = json.loads(Path("demo/findings/findings.json").read_text())
    assert document["traffic"]["exchanges"] == 6_000


def test_demo_spares_other_peoples_folders(stillwatch, tmp_path):
    Path("demo/world").mkdir(parents=True)
    Path("demo/world/thesis.txt").write_text("mine")
    assert "holds something other than an earlier demonstration" in stillwatch("demo").line(2)
    assert Path("demo/world/thesis.txt").read_text() == "mine"
