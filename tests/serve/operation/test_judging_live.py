"""The whole service at work: traffic in, a campaign decided on, an analyst heard, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.respond.databases import fresh
from tests.scan.scan_worlds import HAND, accounts, rows
from tests.serve.gateways.live import Live, until
from tests.serve.ingest.intake_service import ndjson

from stillwatch.serve import judging
from stillwatch.serve.access.roles import Role
from stillwatch.tables import ACCOUNTS

# A dear campaign, so that measures are hard enough for addresses to get one.
POLICY = "dry_run = false\n[costs]\nmissed = 100\n[caps]\nshare_of_accounts = 0.5\n"


@pytest.fixture(scope="module")
def traffic():
    """A fortnight with one campaign that ended just now, and the accounts file: what is decided counts from now."""
    sent, known = rows(), accounts()
    later = datetime.now(UTC) - max(row["time"] for row in sent) - timedelta(minutes=1)
    for row in sent:
        row["time"] = (row["time"] + later).isoformat()
    for row in known:
        row["created_at"] += later
    return sent, pa.Table.from_pylist(known, schema=ACCOUNTS.schema)


@pytest.fixture(params=["sqlite", "postgresql"])
def whole(request, tmp_path, traffic):
    """The service with all its parts, its policy enforced."""
    pq.write_table(traffic[1], tmp_path / "accounts.parquet")
    settings = {"parts": '["ingest", "cycle", "decisions"]', "cycle_seconds": "1", "log_level": "info"}
    if request.param == "postgresql":
        settings["state_url"] = fresh(request.getfixturevalue("postgresql"))
    live = Live(tmp_path, accounts=str(tmp_path / "accounts.parquet"), **settings)
    with live.state.changing("jane") as change:
        change.adopt(POLICY, "tried")
    with live:
        yield live


def test_from_traffic_to_decisions_to_a_verdict_that_the_next_cycle_heeds(whole, traffic):
    with whole.client(Role.ADMIN) as http:
        for start in range(0, len(traffic[0]), 1_000):
            assert http.post("/v1/exchanges", content=ndjson(*traffic[0][start : start + 1_000])).status_code == 200

        def standing():
            return http.get("/api/v1/decisions", params={"limit": 1_000}).json()["decisions"]

        until(lambda: {d["subject"] for d in standing()} >= set(HAND), 120, "decisions on the whole campaign")
        # Who was seen on an address is asked of the store. What was posted last may be in a later cycle than the first.
        until(lambda: {d["subject_kind"] for d in standing()} == {"account", "address"}, 60, "decisions on addresses")
        assert http.get("/api/v1/decision", params={"account": "stranger-001"}).json()["measure"] == "observe"
        [case] = http.get("/api/v1/cases").json()["cases"]
        assert case["kind"] == "campaign"
        findings = whole.folder / "judged" / "findings" / "findings.json"
        until(lambda: findings.exists() and case["subject"] in findings.read_text(), 120, "the findings it is of")
        said = {"subject": case["subject"], "verdict": "dismissed", "why": "our own evaluation"}
        verdict = http.post("/api/v1/verdicts", json=said).json()
        assert verdict["accounts"] == HAND
        # No traffic comes any more: it is the verdict that has the next cycle judge.
        heard = f"{verdict['verdict_id']}: an analyst"
        until(lambda: findings.exists() and heard in findings.read_text(), 120, "a judgement that heeds it")
        until(lambda: [e["event"] for e in whole.lines()].count("judged") >= 2, what="its end")
        assert standing() == []
    assert whole.stop() == 0
    assert {line["level"] for line in whole.lines()} == {"info"}
    assert (whole.state.sealed, whole.state.verify()[1]) == (True, None)


def test_a_state_out_of_reach_is_told_in_the_log_without_what_it_is_called(tmp_path):
    secret = "quixotic-password"
    script = (
        "from stillwatch.serve.judging import judge; from stillwatch.serve.settings import load;"
        "from stillwatch.settings import Settings;"
        f"judge(load(folder={str(tmp_path)!r}, state_url='postgresql://u:{secret}@127.0.0.1:1/none'), Settings())"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert "the cycle ends" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert secret not in ended.stderr


ORPHAN = """
import multiprocessing, os, signal, sys, time
from stillwatch.serve.lifetime import leave_with_parent

def busy():
    signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
    leave_with_parent(0.5)
    while True:
        sum(range(10**6))

if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=busy)
    child.start()
    print(child.pid, flush=True)
    child.join()
"""


def test_what_is_busy_is_asked_to_end_and_ended_soon_after_its_parent_was_killed(tmp_path):
    (tmp_path / "orphan.py").write_text(ORPHAN)
    parent = subprocess.Popen([sys.executable, tmp_path / "orphan.py"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    until(lambda: child.num_threads() > 1 or child.cpu_times().user > 0.5, what="the child's work")
    time.sleep(1)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    gone, _ = psutil.wait_procs([child], timeout=15)
    if not gone:
        child.kill()
    assert gone
    assert parent.stdout.read() == "asked\n"


def test_another_policy_has_all_judged_and_a_verdict_what_came_last(tmp_path):
    said = {"policy": 1, "verdicts": 0}
    asked = []
    state = SimpleNamespace(said=lambda: (said["policy"], said["verdicts"]), export_verdicts=lambda path: None)
    cycle = SimpleNamespace(judge_anyway=lambda *, of_all: asked.append(of_all))
    heeding = judging._Heeding(state, cycle, tmp_path / "verdicts.parquet", (1, 0))
    for change in ({}, {"verdicts": 1}, {"policy": 2}, {}):
        said |= change
        heeding._look()
    assert asked == [False, True]
