"""Counts by cells of accounts and jobs are the counts of the exchanges themselves."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from stillwatch.engine import DuckDB
from stillwatch.evidence import kinds
from stillwatch.evidence.cells import count_cells, count_groups

KINDS = {kind.name: kind.sql for kind in kinds()}
# The same counted over exchanges, as `group_traffic` shows them.
BY_HAND = {
    "volume": "SELECT group_no, count(*) AS exchanges FROM seen GROUP BY group_no",
    "payload_variety": "SELECT group_no, count(prompt_hash) AS exchanges, count(DISTINCT prompt_hash) AS prompts "
    "FROM seen GROUP BY group_no",
    "end_users": "SELECT group_no, count(*) AS exchanges, count(end_user_id) AS passed_on, "
    "count(DISTINCT end_user_id) AS end_users FROM seen GROUP BY group_no",
    "no_dialogue": "SELECT group_no, count(messages) AS exchanges, sum((messages <= 2)::INT)::BIGINT AS single "
    "FROM seen WHERE messages IS NOT NULL GROUP BY group_no",
    "divided_list": "SELECT group_no, count(*) AS prompts, sum((accounts > 1)::INT)::BIGINT AS repeated FROM ("
    "SELECT group_no, prompt_hash, count(DISTINCT account_no) AS accounts FROM seen WHERE prompt_hash IS NOT NULL "
    "GROUP BY ALL) GROUP BY group_no",
}


@pytest.fixture(scope="module", params=range(3))
def engine(request, tmp_path_factory):
    """Exchanges that carry none, one or several of six jobs, and groups of accounts and jobs that overlap."""
    draw = random.Random(request.param)
    traffic, carried = [], []
    for no in range(400):
        account = draw.randrange(12)
        traffic.append(
            {
                "exchange_no": no,
                "account_no": account,
                "prompt_hash": draw.choice([None, *range(30), 1000 + no, 1000 + no, 1000 + no]),
                "messages": draw.choice([None, 1, 2, 5]),
                "end_user_id": draw.choice([None, "shared", f"of {account}", f"of {no}"]),
            }
        )
        carried += [(job, no, account) for job in range(6) if draw.random() < 0.3]
    runs = sorted({(job, account) for job, _, account in carried if draw.random() < 0.8})
    with DuckDB(tmp_path_factory.mktemp("cells")) as made:
        made.register("traffic", pa.Table.from_pylist(traffic))
        made.register("job_traffic", rows(carried, "job", "exchange_no", "account_no"))
        made.register("account_jobs", rows(runs, "job", "account_no"))
        groups = {0: (range(12), range(6)), 1: (range(4), (0, 3)), 2: (range(2, 9), (1, 2, 3)), 3: ((11,), (5,))}
        made.register(
            "candidates", rows([(g, a) for g, (who, _) in groups.items() for a in who], "group_no", "account_no")
        )
        made.register("group_jobs", rows([(g, j) for g, (_, what) in groups.items() for j in what], "group_no", "job"))
        made.create(
            "seen",
            "SELECT DISTINCT g.group_no, t.* FROM group_jobs AS g JOIN job_traffic AS j ON j.job = g.job "
            "JOIN account_jobs AS a ON a.job = j.job AND a.account_no = j.account_no "
            "JOIN candidates AS c ON c.group_no = g.group_no AND c.account_no = j.account_no "
            "JOIN traffic AS t ON t.exchange_no = j.exchange_no",
        )
        count_cells(made)
        count_groups(made)
        yield made


def rows(values, *names):
    return pa.table(
        {name: pa.array(column, pa.int64()) for name, column in zip(names, zip(*values, strict=True), strict=True)}
    )


@pytest.mark.parametrize("name", BY_HAND)
def test_cells_count_as_exchanges_do(engine, name):
    ours, by_hand = (engine.query(f"SELECT * FROM ({sql}) ORDER BY group_no") for sql in (KINDS[name], BY_HAND[name]))
    assert by_hand.num_rows >= 3
    assert ours.select(by_hand.column_names).to_pylist() == by_hand.to_pylist()


def test_group_traffic_shows_each_exchange_once(engine):
    columns = "group_no, exchange_no, account_no, prompt_hash, messages, end_user_id"
    ours, by_hand = (engine.query(f"SELECT {columns} FROM {t} ORDER BY ALL") for t in ("group_traffic", "seen"))
    assert ours.equals(by_hand)
