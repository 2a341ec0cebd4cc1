"""The same traffic gives the same findings, however it is written, named and dated."""

import random
from datetime import timedelta

import pytest
from scan_results import Result, scanned
from scan_worlds import accounts, rows, write

WEEKS = timedelta(weeks=5)


def shuffled(rows, known):
    random.Random(3).shuffle(rows)
    random.Random(4).shuffle(known)
    return rows, known, {}


def renamed(rows, known):
    """Accounts, keys and exchanges under other names, in another order."""
    names = {r["account_id"] for r in rows} | {r["account_id"] for r in known}
    order = sorted(names)
    random.Random(5).shuffle(order)
    new = {name: f"acct_{n:04x}" for n, name in enumerate(order)}
    numbers = list(range(len(rows)))
    random.Random(6).shuffle(numbers)
    for row, number in zip(rows, numbers, strict=True):
        row["account_id"] = new[row["account_id"]]
        row["key_id"] = "k" + row["account_id"][::-1]
        row["exchange_id"] = f"{number:08x}"
    for row in known:
        row["account_id"] = new[row["account_id"]]
    return rows, known, new


def clients_renamed(rows, known):
    new = {"python-requests/2.32": "agent-a/1.0", "openai-python/1.60": "agent-b/9.1", "curl/8.5": "agent-c/0.3"}
    for row in rows:
        row["user_agent"] = new[row["user_agent"]]
    return rows, known, {}


def weeks_later(rows, known):
    for row in rows:
        row["time"] += WEEKS
    for row in known:
        row["created_at"] += WEEKS
    return rows, known, {}


@pytest.mark.parametrize("change", [shuffled, renamed, clients_renamed, weeks_later])
def test_findings_do_not_change(small: Result, tmp_path, change):
    traffic, known, new = change(rows(), accounts())
    result = scanned(write(tmp_path / "world", traffic, known), tmp_path / "out")
    expected = {new.get(name, name): p for name, p in small.probabilities().items()}
    assert result.accused() == {new.get(name, name) for name in small.accused()}
    assert result.probabilities() == pytest.approx(expected, abs=1e-9)
    assert [c.exchanges for c in result.findings.campaigns] == [c.exchanges for c in small.findings.campaigns]
    assert [c.explanation for c in result.findings.cleared] == [c.explanation for c in small.findings.cleared]


@pytest.mark.parametrize(("files", "batch_rows"), [(1, 97), (5, 16_384)])
def test_neither_files_nor_batches_matter(small: Result, tmp_path, files, batch_rows):
    world = write(tmp_path / "world", rows(), accounts(), files)
    result = scanned(world, tmp_path / "out", batch_rows=batch_rows)
    assert result.probabilities() == pytest.approx(small.probabilities(), abs=1e-9)
    ours, theirs = result.findings.campaigns[0], small.findings.campaigns[0]
    assert [w.passages for w in ours.workloads] == [w.passages for w in theirs.workloads]
    assert [m.account_id for m in ours.members] == [m.account_id for m in theirs.members]


def test_repeated_exchanges_are_one(small: Result, tmp_path):
    traffic = rows()
    world = write(tmp_path / "world", [*traffic, *traffic[:500]], accounts())
    result = scanned(world, tmp_path / "out")
    assert result.findings.traffic.duplicates == 500
    assert result.findings.traffic.exchanges == len(traffic)
    assert result.probabilities() == pytest.approx(small.probabilities(), abs=1e-9)
