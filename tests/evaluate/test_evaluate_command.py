"""`stillwatch evaluate`, from a small simulated world to a page."""

import json
import sys
from pathlib import Path

import pytest

from stillwatch import cli
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.simulate import simulate


@pytest.fixture(scope="module")
def scanned(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder / "world", exchanges=20_000, seed=3)
    scan(Request((str(folder / "world"),), folder / "out"), Settings(threads=2))
    return folder / "world", folder / "out"


@pytest.fixture
def evaluate(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stillwatch", "evaluate", *map(str, arguments)])
        status = cli.run()
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def test_a_simulated_world(evaluate, scanned):
    status, out, err = evaluate(
        *scanned, "--json", "e.json", "--page", "e.html", "--timeline", "--every", 30, "--delete-cited"
    )
    assert (status, err) == (0, "")
    assert "account precision" in out
    assert "Page: e.html" in out
    assert Path("e.html").read_text("utf-8").startswith("<!doctype html>")
    e = json.loads(Path("e.json").read_text("utf-8"))
    assert e["exchanges"]["judged"] == 20_000
    assert e["accounts"]["precision"] > 0.9
    assert e["accounts"]["recall"] > 0.5
    assert [c["campaign"] for c in e["campaigns"]] == ["campaign-a", "campaign-b", "campaign-c"]
    last = e["timeline"]["days"][-1]
    assert (last["exchanges"], last["accused"]) == (20_000, e["accounts"]["accused"])  # the last day is the scan itself
    assert all(c["share_taken"] <= 1 for c in e["timeline"]["campaigns"])
    assert {d["campaign"]: d["removed"] for d in e["deleted"]} == {f["campaign"]: f["exchanges"] for f in e["found"]}
    assert any(d["falls"] for d in e["deleted"])


def test_what_is_wrong_is_told_in_one_line(evaluate, scanned, tmp_path):
    world, out = scanned
    assert evaluate(tmp_path, out) == (
        2,
        "",
        f"stillwatch: {tmp_path}/truth_accounts.parquet: no such file; a labelled world has truth_accounts.parquet "
        "(account_id, population, role)\n",
    )
    status, _, err = evaluate(world, tmp_path)
    assert (status, err) == (2, f"stillwatch: {tmp_path} is not a result of scan: accounts.parquet is missing\n")
    status, _, err = evaluate(world, out, "--every", 7)
    assert (status, err) == (2, "stillwatch: --every: says how often --timeline scans; give both\n")
    status, _, err = evaluate(world, out, "--json", tmp_path)
    assert (status, err.count("\n")) == (4, 1)
