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
from stillwatch.pools import hands, membership, merged, with_their_jobs
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


def _weigh(engine: DuckDB, accounts: pa.Table, jobs: pa.Table, silent: frozenset[str]) -> dict[int, Weighed]:
    engine.register("group_jobs", jobs)
    engine.create(
        "group_traffic",
        "SELECT DISTINCT g.group_no, t.* FROM group_jobs AS g JOIN job_traffic AS j ON j.job = g.job "
        "JOIN account_jobs AS a ON a.job = j.job AND a.account_no = j.account_no "
        "JOIN traffic AS t ON t.exchange_no = j.exchange_no",
    )
    return weigh(engine, accounts, silent)


def _candidates(weighed: dict[int, Weighed], jobs: pa.Table, ceilings: dict[int, float]) -> list[Candidate]:
    group, job = jobs["group_no"].to_numpy(), jobs["job"].to_numpy()
    return [
        Candidate(w, judge(w, ceilings.get(n, 1.0)), membership(w), tuple(int(j) for j in np.sort(job[group == n])))
        for n, w in weighed.items()
    ]


def _rows(accounts: dict[int, npt.NDArray[np.int64]]) -> pa.Table:
    numbers = np.repeat(np.array(list(accounts), np.int64), [len(a) for a in accounts.values()])
    return pa.table({"group_no": numbers, "account_no": np.concatenate([np.zeros(0, np.int64), *accounts.values()])})


def find(engine: DuckDB, jobs: Jobs, silent: frozenset[str]) -> list[Candidate]:
    """Every group that was considered: pools first, then the groups of which no hand was found.

    Groups that share jobs are tested for one hand; nothing was selected by links yet, so that test is a fair one, and
    no pool is held for likelier under one hand than the likeliest of its groups. Accounts that the links single out,
    merged over groups, are the pool; with all its jobs it is judged again, without the strangers.

    The engine holds `traffic`, `parties`, `account_jobs`, `job_traffic`, `job_intents`, `known_accounts`, `models`.
    silent: columns without any value, whose kinds of evidence stay silent.
    """
    groups = jobs.sent.join(jobs.groups, "job").group_by(["group_no", "account_no"]).aggregate([])
    groups = groups.sort_by([("group_no", "ascending"), ("account_no", "ascending")])
    first = _candidates(_weigh(engine, groups, jobs.groups, silent), jobs.groups, {})
    controlled: list[npt.NDArray[np.int64]] = []
    sure: list[float] = []
    for candidate in first:
        one_hand = candidate.judgement.factors[0].probability
        if one_hand < LIKELY:
            continue
        main = candidate.weighed.members[candidate.membership >= LIKELY]
        others = [h for h in hands(candidate.weighed) if not np.isin(h, main).any()]
        for run in [main, *others]:
            if len(run) >= 2:
                sure.append(one_hand)
                controlled.append(run)
    pools = merged(controlled)
    ceilings = {n: max(sure[g] for g in of) for n, (_, of) in enumerate(pools)}
    wide = with_their_jobs([accounts for accounts, _ in pools], jobs.sent)
    run_by = {}
    for number, weighed in _weigh(engine, wide.accounts, wide.jobs, silent).items():
        keep = membership(weighed) >= LIKELY
        if keep.sum() >= 2:
            run_by[number] = weighed.members[keep]
    judged = _candidates(_weigh(engine, _rows(run_by), wide.jobs, silent), wide.jobs, ceilings)
    taken = {job for candidate in judged for job in candidate.jobs}
    return judged + [c for c in first if not set(c.jobs) <= taken]
