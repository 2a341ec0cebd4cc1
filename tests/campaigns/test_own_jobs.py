"""What members send with a job that others run as well is not counted to their campaign."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.campaigns.roles import TAKEN, take_traffic
from stillwatch.engine import DuckDB

# Ten members run job 0 among themselves, and job 1 with as many strangers.
MEMBERS, STRANGERS = range(10), range(10, 20)


@pytest.mark.parametrize(("strangers", "jobs"), [(10, {0}), (2, {0, 1}), (3, {0})])
def test_a_job_is_the_campaigns_own_where_four_in_five_of_its_runners_are_members(tmp_path, strangers, jobs):
    sent = [(0, a) for a in MEMBERS] + [(1, a) for a in (*MEMBERS, *list(STRANGERS)[:strangers])]
    with DuckDB(tmp_path) as engine:
        traffic = [{"job": job, "account_no": a, "exchange_no": n} for n, (job, a) in enumerate(sent)]
        engine.register("job_traffic", pa.Table.from_pylist(traffic))
        engine.register("account_jobs", pa.Table.from_pylist([{"job": j, "account_no": a} for j, a in sent]))
        sent_so = [dict.fromkeys(TAKEN.split(), 1) | {"exchange_no": t["exchange_no"]} for t in traffic]
        engine.register("traffic", pa.Table.from_pylist(sent_so))
        campaign = SimpleNamespace(
            weighed=SimpleNamespace(members=np.array(MEMBERS)), probabilities=np.full(10, 0.9), jobs=(0, 1)
        )
        take_traffic(engine, [campaign], [{0: 0, 1: 1}])
        taken = engine.query("SELECT workload_no, count(*) AS n FROM campaign_traffic GROUP BY workload_no")
        assert {r["workload_no"]: r["n"] for r in taken.to_pylist()} == dict.fromkeys(jobs, 10)
