"""A pool may serve several campaigns: its accounts divided by the jobs that they mainly run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from stillwatch.evidence.weigh import Integers

# An account's main jobs are those that make a twentieth or more of what it does of the pool's own. On 22 worlds looked
# at while building, all true campaigns but two fell apart so; at a tenth one account went to the wrong one, and at a
# fiftieth three pools stayed whole.
MAIN = 0.05
# A job ties accounts together where nine in ten of those who run it are the pool's: everybody's pipelines, licence
# texts and phrases met by chance would tie all to all.
OWN = 0.9
# Fewer accounts than this are no campaign of their own but an accident of who was given which job: half of the eight
# that a disclosed campaign is scaled down to.
LEAST_ACCOUNTS = 4

# Two campaigns may both use one public job that hardly anybody else does. Such a bridge is cut where an account's jobs,
# counted as two draws from all of the pool's (they come as a few tasks in several wordings each), would leave any so
# large a set of accounts with no other job in common with the rest in one of a hundred pools at most, all its main jobs
# tried (Bonferroni).
DRAWS, BRIDGED = 2, 0.01

# Accounts and jobs of one part, each ascending.
Part = tuple[Integers, Integers]


def main_jobs(account: Integers, job: Integers, exchanges: Integers, runners: Integers) -> npt.NDArray[np.bool_]:
    """Whether the job is the pool's own and one of the account's main ones.

    account, job, exchanges, runners: aligned, one entry for each pair of an account of the pool and a job that it runs,
    with how many accounts run that job anywhere.
    """
    _, row = np.unique(account, return_inverse=True)
    _, column = np.unique(job, return_inverse=True)
    own = np.bincount(column)[column] >= OWN * runners
    sent = exchanges.astype(np.float64)
    return np.asarray(own & (sent >= MAIN * np.bincount(row, weights=sent * own)[row]))


def tied(account: Integers, job: Integers, main: npt.NDArray[np.bool_]) -> list[Part]:
    """The parts, of `LEAST_ACCOUNTS` and more, into which main jobs tie accounts together, the largest first."""
    accounts, row = np.unique(account[main], return_inverse=True)
    jobs, column = np.unique(job[main], return_inverse=True)
    size = len(accounts) + len(jobs)
    graph = coo_matrix((np.ones(len(row), np.int8), (row, column + len(accounts))), (size, size))
    label = connected_components(graph, directed=False)[1]
    found, count = np.unique(label[: len(accounts)], return_counts=True)
    several = [
        (accounts[label[: len(accounts)] == one], jobs[label[len(accounts) :] == one])
        for one in found[count >= LEAST_ACCOUNTS]
    ]
    return sorted(several, key=lambda part: (-len(part[0]), tuple(part[0])))


def parts(account: Integers, job: Integers, exchanges: Integers, main: npt.NDArray[np.bool_]) -> list[Part]:
    """Divide a pool's accounts and jobs into parts that have no main job in common, the largest first.

    account, job, exchanges, main: aligned, as `main_jobs` has them and says. An account or job that is in no part by
    its main jobs goes where most of its exchanges are.
    """
    accounts, row = np.unique(account, return_inverse=True)
    jobs, column = np.unique(job, return_inverse=True)
    found = tied(row, column, main & ~np.isin(column, _bridges(row, column, main)))
    found += _left_over(row, column, found, len(accounts))
    if len(found) < 2:
        return [(accounts, jobs)]
    of_account, of_job = np.full(len(accounts), -1), np.full(len(jobs), -1)
    for number, (theirs, own) in enumerate(found):
        of_account[theirs], of_job[own] = number, number
    # Jobs first, by the accounts that are in a part; then accounts, by their jobs.
    sent = exchanges.astype(np.float64)
    of_job = _settled(of_job, column, of_account[row], sent, len(found))
    of_account = _settled(of_account, row, of_job[column], sent, len(found))
    return [(accounts[of_account == n], jobs[of_job == n]) for n in range(len(found))]


def _bridges(account: Integers, job: Integers, main: npt.NDArray[np.bool_]) -> list[int]:
    """Jobs each of which alone ties two parts together, where that is hardly chance."""
    bridges: list[int] = []
    several = np.unique(job[main])
    around = tied(account, job, main)
    for one in several.tolist():
        [whole] = [accounts for accounts, own in around if one in own] or [np.zeros(0, np.int64)]
        apart = [accounts for accounts, _ in tied(account, job, main & (job != one)) if np.isin(accounts, whole).all()]
        if any(_chance(len(accounts), len(whole)) * len(several) <= BRIDGED for accounts in apart[1:]):
            bridges.append(one)
    return bridges


def _chance(size: int, whole: int) -> float:
    """At most how likely any set of so many accounts has no job in common with the rest, if each draws its jobs from
    all: the sets are fewer than (e whole / size) ** size."""
    return float((np.e * (size / whole) ** (DRAWS - 1)) ** size)


def _left_over(account: Integers, job: Integers, found: list[Part], whole: int) -> list[Part]:
    """Of the accounts that main jobs tie to no part, those that are tied to each other by any job which nobody else of
    the pool runs (`OWN`): the accounts of a small campaign may each have main jobs of their own."""
    if not found:
        return []
    without = ~np.isin(account, np.concatenate([accounts for accounts, _ in found]))
    pairs = np.unique(np.stack([job, account]), axis=1)[0]
    alone = np.unique(np.stack([job[without], account[without]]), axis=1)[0]
    size = int(job.max()) + 1
    theirs = np.bincount(alone, minlength=size) >= OWN * np.bincount(pairs, minlength=size)
    return [part for part in tied(account, job, without & theirs[job]) if _chance(len(part[0]), whole) <= BRIDGED]


def _settled(part: Integers, item: Integers, others: Integers, sent: np.ndarray, parts_found: int) -> Integers:
    """Put each item without a part where most of its exchanges go; the largest part where they go nowhere."""
    weight = np.zeros((len(part), parts_found))
    np.add.at(weight, (item[others >= 0], others[others >= 0]), sent[others >= 0])
    return np.where(part >= 0, part, weight.argmax(axis=1))
