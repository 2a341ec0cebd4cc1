"""Who sends how much of which job, with the rows of every account and of every job at hand."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa

from stillwatch.evidence.weigh import Integers


class Senders:
    """job, account, exchanges: aligned, one row a job and account that runs it, in their order.

    runners: of each job number, how many accounts run it.
    """

    def __init__(self, sent: pa.Table) -> None:
        self.job, self.account, self.exchanges = (
            np.ascontiguousarray(sent[name].to_numpy(), np.int64) for name in ("job", "account_no", "exchanges")
        )
        self.runners = np.bincount(self.job)

    @cached_property
    def _by_account(self) -> tuple[Integers, Integers]:
        order = np.argsort(self.account, kind="stable")
        return order, self.account[order]

    @cached_property
    def _by_job(self) -> tuple[Integers, Integers]:
        order = np.argsort(self.job, kind="stable")
        return order, self.job[order]

    def of_accounts(self, accounts: Integers) -> Integers:
        """The rows of some accounts, ascending."""
        return _rows(*self._by_account, accounts)

    def of_jobs(self, jobs: Integers) -> Integers:
        """The rows of some jobs, ascending."""
        return _rows(*self._by_job, jobs)

    def of_each(self, jobs: Integers) -> tuple[Integers, Integers]:
        """The rows of jobs that may be given several times, and for each row the place of its job among them."""
        order, values = self._by_job
        first, size = np.searchsorted(values, jobs), np.searchsorted(values, jobs, side="right")
        size = size - first
        within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        return order[np.repeat(first, size) + within], np.repeat(np.arange(len(jobs)), size)


def _rows(order: Integers, values: Integers, wanted: Integers) -> Integers:
    """Places of the wanted values (distinct), where `order` brings them into the order of `values`."""
    first, size = np.searchsorted(values, wanted), np.searchsorted(values, wanted, side="right")
    size = size - first
    if not size.sum():
        return np.zeros(0, np.int64)
    within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    return np.sort(order[np.repeat(first, size) + within])
