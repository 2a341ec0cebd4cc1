"""Accounts that links join are tested for jobs in common, which the links did not ask."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.search import _common_jobs

EVERYBODY = 5_000


def sent(runners):
    rows = [(job, account) for job, accounts in runners.items() for account in sorted(accounts)]
    return pa.table(
        {"job": [j for j, _ in rows], "account_no": [a for _, a in rows], "exchanges": [20] * len(rows)},
        schema=pa.schema([(n, pa.int64()) for n in ("job", "account_no", "exchanges")]),
    )


def test_eight_linked_accounts_stand_out_among_three_hundred_strangers_with_the_same_job():
    pool = np.arange(0, 80, 10)
    found = _common_jobs([pool], sent({0: {*pool.tolist(), *range(1000, 1300)}}), EVERYBODY)
    assert len(found) == 1
    accounts, likely = found[0]
    assert accounts.tolist() == pool.tolist()
    assert likely > 0.5


def test_two_who_share_an_exit_and_a_popular_prompt_do_not():
    assert _common_jobs([np.array([3, 7])], sent({0: {3, 7, *range(1000, 1500)}}), EVERYBODY) == []


def test_linked_accounts_with_a_job_each_have_none_in_common():
    agency = np.arange(8)
    assert _common_jobs([agency], sent({int(a): {int(a), 100 + int(a)} for a in agency}), EVERYBODY) == []
