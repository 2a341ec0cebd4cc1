"""The comparison itself: how an operating point is chosen, what is counted, and what a broken run keeps."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.peers import windows
from bench.peers.figures import Choice, Labelled, best_window, chosen, figures, window_rates
from bench.peers.running import Peer, Runs
from bench.peers.told import Told, read_told
from stillwatch.evidence import kinds

GUILTY = np.array([True, True, False, False])


def world(**settings: dict[str, float]) -> Labelled:
    return Labelled(["a", "b", "c", "d"], GUILTY, Told(settings))


def test_the_setting_and_threshold_with_the_best_f1_are_chosen() -> None:
    blind = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}
    sharp = {"a": 9.0, "b": 7.0, "c": 6.0}
    assert chosen([world(blind=blind, sharp=sharp)]) == Choice("sharp", 7.0, 1.0)


def test_a_setting_that_one_world_lacks_is_not_chosen() -> None:
    sharp = {"a": 9.0, "b": 7.0}
    assert chosen([world(sharp=sharp), world(other=sharp)]) is None


def test_an_account_of_which_nothing_is_known_is_never_accused() -> None:
    choice = chosen([world(only={"c": 1.0})])
    assert choice is not None
    assert choice.threshold == 1.0


def test_figures_count_right_and_wrong() -> None:
    found = figures([world(s={"a": 9.0, "b": 2.0, "c": 6.0})], Choice("s", 5.0, 0.0))
    assert (found.accused, found.wrongly, found.precision, found.recall) == (2, 1, 0.5, 0.5)
    # No innocent may be flagged of two, and only a stands above c.
    assert found.recall_at == 0.5
    assert found.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_windows_are_flagged_above_one_in_three_hundred_of_honest_ones() -> None:
    one = Told(windows={
        "good": {"calibration": [float(n) for n in range(1000)], "0": [1.0, 2.0], "0.05": [998.5, 2_000.0]},
        "bad": {"calibration": [1.0] * 1000, "0": [2.0, 2.0], "0.05": [2.0, 2.0]},
    })  # fmt: skip
    assert window_rates([one], "good") == {"0": 0.0, "0.05": 1.0}
    assert best_window([one]) == "good"


def test_windows_hold_the_share_that_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINDOW", 20)
    ids = [f"x{n}" for n in range(300)]
    pq.write_table(pa.table({"exchange_id": ids}), tmp_path / "exchanges.parquet")
    pq.write_table(pa.table({"exchange_id": ids[:60]}), tmp_path / "truth_exchanges.parquet")
    drawn = windows.draw(tmp_path)
    assert drawn is not None
    assert {s: (rows < 60).sum(1).max() for s, rows in drawn.judged.items()} == {
        "0": 0, "0.05": 1, "0.1": 2, "0.25": 5, "0.5": 10, "1": 20,
    }  # fmt: skip
    honest_judged = np.unique(drawn.judged["0"])
    assert not np.isin(honest_judged, drawn.calibration).any()
    assert not np.isin(honest_judged, drawn.reference).any()
    assert all(len(np.unique(w)) == 20 for w in drawn.calibration)


def test_a_world_without_a_campaign_has_no_windows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"exchange_id": ["x"]}), tmp_path / "exchanges.parquet")
    pq.write_table(pa.table({"exchange_id": pa.array([], pa.string())}), tmp_path / "truth_exchanges.parquet")
    assert windows.draw(tmp_path) is None


def scripted(folder: Path, body: str) -> Peer:
    """A peer that counts how often it was run and then does as told."""
    file = folder / "peer.py"
    file.write_text(
        "import json, sys, time, pathlib\n"
        f"with open({str(folder / 'count')!r}, 'a') as f: f.write('x')\n"
        f"def tell(v): pathlib.Path(sys.argv[2]).write_text(json.dumps({{'settings': v, 'windows': {{}}}}))\n{body}\n"
    )
    return Peer("scripted", (sys.executable, str(file)), (file,))


def a_world(folder: Path) -> Path:
    made = folder / "world"
    made.mkdir()
    pq.write_table(pa.table({"exchange_id": ["x"]}), made / "exchanges.parquet")
    return made


def test_what_was_run_is_kept_and_what_changed_is_run_again(tmp_path: Path) -> None:
    peer, on = scripted(tmp_path, "tell({'s': {'a': 1.0}})"), a_world(tmp_path)
    for _ in range(2):
        ran = Runs(tmp_path / "work", 60).run(peer, on, [], False)
        assert (ran.outcome, ran.told.settings) == ("done", {"s": {"a": 1.0}})
    assert (tmp_path / "count").read_text() == "x"
    pq.write_table(pa.table({"exchange_id": ["y"]}), on / "exchanges.parquet")
    Runs(tmp_path / "work", 60).run(peer, on, [], False)
    assert (tmp_path / "count").read_text() == "xx"


def test_a_line_half_written_is_run_again(tmp_path: Path) -> None:
    peer, on = scripted(tmp_path, "tell({})"), a_world(tmp_path)
    Runs(tmp_path / "work", 60).run(peer, on, [], False)
    lines = tmp_path / "work" / "results.jsonl"
    lines.write_text(lines.read_text()[:20])
    for _ in range(2):
        Runs(tmp_path / "work", 60).run(peer, on, [], False)
    assert (tmp_path / "count").read_text() == "xx"


def test_a_peer_past_its_limit_keeps_what_it_had_finished(tmp_path: Path) -> None:
    peer, on = scripted(tmp_path, "tell({'s': {'a': 1.0}})\nwhile True: pass"), a_world(tmp_path)
    ran = Runs(tmp_path / "work", 2).run(peer, on, [], False)
    assert (ran.outcome, ran.told.settings) == ("did not finish", {"s": {"a": 1.0}})
    assert 2 <= ran.seconds < 30


def test_the_time_of_children_counts(tmp_path: Path) -> None:
    child = "import subprocess\nsubprocess.run([sys.executable, '-c', 'while True: pass'])"
    ran = Runs(tmp_path / "work", 2).run(scripted(tmp_path, child), a_world(tmp_path), [], False)
    assert ran.outcome == "did not finish"
    assert 2 <= ran.seconds < 10


def test_once_its_hours_are_over_only_what_was_run_is_told(tmp_path: Path) -> None:
    peer, on = scripted(tmp_path, "tell({'s': {'a': 1.0}})"), a_world(tmp_path)
    assert Runs(tmp_path / "work", 60, until=0).run(peer, on, [], False).outcome == "not run"
    Runs(tmp_path / "work", 60).run(peer, on, [], False)
    assert Runs(tmp_path / "work", 60, until=0).run(peer, on, [], False).told.settings == {"s": {"a": 1.0}}


def test_a_stop_stands_until_there_is_more_time(tmp_path: Path) -> None:
    peer, on = scripted(tmp_path, "while time.process_time() < 2: pass"), a_world(tmp_path)
    outcomes = [Runs(tmp_path / "work", limit).run(peer, on, [], False).outcome for limit in (1, 1, 60)]
    assert outcomes == ["did not finish", "did not finish", "done"]
    assert (tmp_path / "count").read_text() == "xx"


def test_a_peer_that_fails_says_so(tmp_path: Path) -> None:
    ran = Runs(tmp_path / "work", 60).run(scripted(tmp_path, "sys.exit(1)"), a_world(tmp_path), [], False)
    assert (ran.outcome, ran.told) == ("failed", Told())


def test_a_view_left_out_is_left_out_wherever_kinds_are_asked_for() -> None:
    # In a process of its own, since it stays left out.
    script = (
        "import sys, bench.peers.own as own; own.leave_out('identity');"
        "asking = ['stillwatch.evidence.weigh', 'stillwatch.pools.communities'];"
        "print(sorted({k.view for m in asking for k in sys.modules[m].kinds()}))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert ast.literal_eval(printed) == sorted({kind.view for kind in kinds()} - {"identity"})


def test_what_is_told_is_read_back(tmp_path: Path) -> None:
    told = Told({"s": {"a": 1.0}}, {"w": {"0": [1.0]}})
    told.write(tmp_path / "told.json")
    assert read_told(tmp_path / "told.json") == told
    assert json.loads((tmp_path / "told.json").read_text())["settings"] == {"s": {"a": 1.0}}
