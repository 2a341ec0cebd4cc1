"""The search: groups that share jobs, tested for one hand; those merged into pools; each pool judged with its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.campaigns.judgement import Judgement, judge
from stillwatch.engine import DuckDB
from stillwatch.evidence.weigh import Weighed, weigh
from stillwatch.pools import membership, merged, with_their_jobs
from stillwatch.workloads import Jobs

# An account is accused, a group is a campaign and a pool is taken as one hand where it is likelier than not.
LIKELY = 0.5
# Below one in ten a group is cleared; between that and likely it is left open, with what would decide it.
CLEARED = 0.1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group of accounts that was considered, and what came of it.

    membership: for each of `weighed.members`, the probability that the hand runs it, if there is one. jobs: the
    recurring jobs that it was judged by.
    """

    weighed: Weighed
    judgement: Judgement
    membership: npt.NDArray[np.float64]
    jobs: tuple[int, ...]

    @property
    def verdict(self) -> Literal["campaign", "undetermined", "cleared"]:
        """Campaign where likelier than not and at least two accounts take part."""
        if self.judgement.probability >= LIKELY and (self.probabilities >= LIKELY).sum() >= 2:
            return "campaign"
        return "cleared" if self.judgement.probability < CLEARED else "undetermined"

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """For each of `weighed.members`, the probability that it takes part in this campaign."""
        return np.asarray(self.judgement.probability * self.membership, np.float64)


def _weigh(engine: DuckDB, accounts: pa.Table, jobs: pa.Table, silent: frozenset[str]) -> list[Candidate]:
    engine.register("group_jobs", jobs)
    engine.create(
        "group_traffic",
        "SELECT DISTINCT g.group_no, t.* FROM group_jobs AS g JOIN job_traffic AS j ON j.job = g.job "
        "JOIN account_jobs AS a ON a.job = j.job AND a.account_no = j.account_no "
        "JOIN traffic AS t ON t.exchange_no = j.exchange_no",
    )
    found = []
    group, job = jobs["group_no"].to_numpy(), jobs["job"].to_numpy()
    for number, weighed in weigh(engine, accounts, silent).items():
        own = tuple(int(j) for j in np.sort(job[group == number]))
        found.append(Candidate(weighed, judge(weighed), membership(weighed), own))
    return found


def find(engine: DuckDB, jobs: Jobs, silent: frozenset[str]) -> list[Candidate]:
    """Every group that was considered: pools first, then the groups of which no hand was found.

    The engine holds `traffic`, `parties`, `account_jobs`, `job_traffic`, `job_intents`, `known_accounts`, `models`.
    silent: columns without any value, whose kinds of evidence stay silent.
    """
    groups = jobs.sent.join(jobs.groups, "job").group_by(["group_no", "account_no"]).aggregate([])
    first = _weigh(
        engine, groups.sort_by([("group_no", "ascending"), ("account_no", "ascending")]), jobs.groups, silent
    )
    controlled = {}
    for number, candidate in enumerate(first):
        run = candidate.weighed.members[candidate.membership >= LIKELY]
        if candidate.judgement.factors[0].probability >= LIKELY and len(run) >= 2:
            controlled[number] = run
    pooled = with_their_jobs(merged(controlled), jobs.sent)
    pools = _weigh(engine, pooled.accounts, pooled.jobs, silent)
    taken = {job for pool in pools for job in pool.jobs}
    return pools + [c for n, c in enumerate(first) if n not in controlled and not set(c.jobs) <= taken]
