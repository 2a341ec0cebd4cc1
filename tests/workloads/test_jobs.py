"""Jobs found in small traffic, made of real text through the real sketch."""

from __future__ import annotations

import datetime as dt
import random

import pyarrow as pa
import pytest

from stillwatch import store
from stillwatch.engine import DuckDB
from stillwatch.enrich import Gear, enrich
from stillwatch.tables import EXCHANGES
from stillwatch.workloads import find_jobs

START = dt.datetime(2026, 2, 2, 9, tzinfo=dt.UTC)
TEMPLATE = (
    "Work through the following case in full. State every assumption that you make, derive each result from the one "
    "before it, and only then give the conclusion in a single line of its own."
)
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("l", "n", "rt", "sk")]


def payload(rng, words=40):
    return " ".join(rng.choice(WORDS) for _ in range(words))


def traffic(rows):
    return [
        {
            "exchange_id": f"e{n}",
            "time": START + dt.timedelta(minutes=n),
            "account_id": account,
            "prompt": prompt,
            **more,
        }
        for n, (account, prompt, more) in enumerate(rows)
    ]


@pytest.fixture
def jobs_of(tmp_path):
    engines = []

    def run(rows):
        engine = DuckDB(tmp_path / str(len(engines)))
        engines.append(engine)
        batch = pa.RecordBatch.from_pylist(traffic(rows), schema=EXCHANGES.schema)
        engine.register("enriched", pa.Table.from_batches([enrich(batch, 0, Gear.from_key())]))
        store.build(engine, has_duplicates=False)
        return engine, find_jobs(engine)

    yield run
    for engine in engines:
        engine.close()


def carriers(engine, jobs):
    names = dict(zip(*engine.query("SELECT account_no, account_id FROM parties").to_pydict().values(), strict=True))
    found = {}
    for job, account in zip(jobs.sent["job"].to_pylist(), jobs.sent["account_no"].to_pylist(), strict=True):
        found.setdefault(job, set()).add(names[account])
    return list(found.values())


@pytest.mark.parametrize("where", ["before", "after", "system"])
def test_an_instruction_around_ever_new_payloads_is_a_job(jobs_of, where):
    rng = random.Random(1)
    rows = []
    for n in range(60):
        text = payload(rng)
        prompt = {"before": f"{TEMPLATE}\n\n{text}", "after": f"{text}\n\n{TEMPLATE}", "system": text}[where]
        rows.append((f"a{n % 6}", prompt, {"system_prompt": TEMPLATE} if where == "system" else {}))
        rows.append((f"b{n % 12}", payload(rng), {}))
    engine, jobs = jobs_of(rows)
    assert {f"a{n}" for n in range(6)} in carriers(engine, jobs)
    assert not any("b" in name for found in carriers(engine, jobs) for name in found)


def test_one_viral_prompt_is_no_job(jobs_of):
    viral = TEMPLATE + " " + payload(random.Random(2))
    _, jobs = jobs_of([(f"a{n % 9}", viral, {}) for n in range(90)])
    assert jobs.sent.num_rows == 0


def test_later_turns_follow_the_conversation_that_a_job_opened(jobs_of):
    rng = random.Random(3)
    rows = []
    for n in range(30):
        rows.append((f"a{n % 5}", f"{TEMPLATE}\n{payload(rng)}", {"history_hashes": [f"u{n}"], "messages": 1}))
        later = [f"u{n}", f"u{n}r", f"u{n}r2"]
        rows.append((f"a{n % 5}", payload(rng, 6), {"history_hashes": later, "messages": 3}))
    engine, _ = jobs_of(rows)
    assert engine.scalar("SELECT count(DISTINCT exchange_no) FROM carrying") == 30
    assert engine.scalar("SELECT count(DISTINCT exchange_no) FROM job_traffic") == 60


def test_an_empty_or_textless_traffic_has_no_jobs(jobs_of):
    _, jobs = jobs_of([("a", None, {}), ("b", "", {}), ("c", "short", {})])
    assert jobs.sent.num_rows == 0 and jobs.groups.num_rows == 0


@pytest.fixture
def templates_of(tmp_path):
    """The templates and jobs that passages 1 and 2 come to, which are numbered; exchanges: account and passages."""
    with DuckDB(tmp_path) as engine:

        def run(exchanges):
            rows = [
                {"passage": passage, "exchange_no": no, "account_no": account, "prompt_hash": no}
                for no, (account, passages) in enumerate(exchanges)
                for passage in passages
            ]
            engine.register("carried", pa.Table.from_pylist(rows))
            engine.create(
                "shared",
                "SELECT passage, count(DISTINCT account_no) AS accounts, count(*) AS exchanges, count(*) AS prompts "
                "FROM carried GROUP BY passage",
            )
            engine.register("traffic", pa.table(NO_CONVERSATION | {"exchange_no": range(len(exchanges))}))
            engine.register("parties", pa.table({"account_no": range(9), "exchanges": [len(exchanges)] * 9}))
            jobs = find_jobs(engine)
            template = engine.query("SELECT passage, template FROM template_passages ORDER BY passage")
            job = dict(zip(jobs.passages["passage"].to_pylist(), jobs.passages["job"].to_pylist(), strict=True))
            return template["template"].to_pylist(), [job[1], job[2]]

        yield run


NO_CONVERSATION = {
    "account_no": pa.nulls(40, pa.int64()),
    "opening": pa.nulls(40, pa.int64()),
    "history_first": pa.nulls(40, pa.int64()),
    "history_second": pa.nulls(40, pa.int64()),
    "conversation_id": pa.nulls(40, pa.string()),
}


@pytest.mark.parametrize(("both", "one_template"), [(20, True), (19, False)])
def test_passages_are_one_template_by_the_exchanges_of_the_commoner_one(templates_of, both, one_template):
    """Passage 1 stands in all of forty exchanges, passage 2 in some of these: it is always with the other. One job
    they are in any case, since all of the rarer one's exchanges and accounts carry both."""
    template, job = templates_of([(n % 4, [1, 2] if n < both else [1]) for n in range(40)])
    assert (template[0] == template[1]) == one_template
    assert job[0] == job[1]


def test_templates_that_seldom_stand_together_are_two_jobs(templates_of):
    """Of twenty-two exchanges each, four carry both."""
    _, job = templates_of([(n % 4, [1, 2] if n < 4 else [1 + n % 2]) for n in range(40)])
    assert job[0] != job[1]
