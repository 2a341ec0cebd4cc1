"""Which passages are looked at to tell what a job asks for, where too few share its text."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stillwatch.engine import DuckDB
from stillwatch.workloads import text
from stillwatch.workloads.intents import asked_for
from stillwatch.workloads.text import untold


@pytest.fixture
def engine(tmp_path):
    """Jobs 1 (three parties), 2 (two accounts of one payer) and 3 (two parties), each with three passages."""
    made = DuckDB(tmp_path)
    runs = {1: (1, 2, 3), 2: (4, 5), 3: (6, 7)}
    passages = {job: [10 * job + n for n in range(3)] for job in runs}
    carried = [(100 * p + a, a, p) for job in runs for p in passages[job] for a in runs[job]]
    made.register(
        "carried",
        pa.table(
            dict(zip(("exchange_no", "account_no", "passage"), map(list, zip(*carried, strict=True)), strict=True))
        ),
    )
    pairs = [(job, p) for job in runs for p in passages[job]]
    made.register("job_passages", pa.table({"job": [j for j, _ in pairs], "passage": [p for _, p in pairs]}))
    # The last passage of each job is its commonest.
    made.register(
        "recurring",
        pa.table(
            {
                "passage": [p for _, p in pairs],
                "accounts": [len(runs[j]) for j, _ in pairs],
                "exchanges": [20 + p % 10 for _, p in pairs],
            }
        ),
    )
    sent = [(job, a) for job in runs for a in runs[job]]
    made.register(
        "account_jobs",
        pa.table(
            {"job": [j for j, _ in sent], "account_no": [a for _, a in sent], "exchanges": [10 * j for j, _ in sent]}
        ),
    )
    made.register(
        "known_accounts",
        pa.table(
            {
                "account_no": [4, 5],
                "payment_fingerprint": ["card", "card"],
                "organization_id": pa.array([None, None], pa.string()),
            }
        ),
    )
    yield made
    made.close()


def places(engine, told=()):
    return [tuple(row.values()) for row in untold(engine, set(told)).to_pylist()]


def test_the_commonest_passages_that_two_parties_share(engine):
    assert places(engine) == [(1, 11, 1101), (1, 12, 1201), (3, 31, 3106), (3, 32, 3206)]


def test_jobs_whose_text_is_told_are_left_out(engine):
    assert places(engine, [1]) == [(3, 31, 3106), (3, 32, 3206)]


def test_of_too_many_jobs_the_largest(engine, monkeypatch):
    monkeypatch.setattr(text, "JOBS_ASKED", 1)
    assert {job for job, _, _ in places(engine)} == {3}


def test_a_job_asks_for_what_any_of_its_texts_does():
    assert asked_for([(1, "score the answer"), (2, "hello"), (1, "write json")]) == {
        1: ["grading", "extraction"],
        2: [],
    }
