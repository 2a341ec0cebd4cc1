"""A pool may serve several campaigns: its accounts divided by the jobs that they mainly run."""

from __future__ import annotations

import numpy as np
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


def parts(account: Integers, job: Integers, exchanges: Integers, runners: Integers) -> list[tuple[Integers, Integers]]:
    """Divide a pool's accounts and jobs into parts that have no main job in common, the largest first.

    account, job, exchanges: aligned, who of the pool sends how much of which of its jobs; runners: how many accounts
    run that job anywhere. Gives accounts and jobs of each part, ascending; an account or job that is in no part by its
    main jobs goes where most of its exchanges are.
    """
    accounts, row = np.unique(account, return_inverse=True)
    jobs, column = np.unique(job, return_inverse=True)
    sent = exchanges.astype(np.float64)
    own = np.bincount(column)[column] >= OWN * runners
    main = own & (sent >= MAIN * np.bincount(row, weights=sent * own)[row])
    size = len(accounts) + len(jobs)
    graph = coo_matrix((np.ones(int(main.sum()), np.int8), (row[main], column[main] + len(accounts))), (size, size))
    label = connected_components(graph, directed=False)[1]
    found, count = np.unique(label[: len(accounts)], return_counts=True)
    order = sorted(range(len(found)), key=lambda n: (-count[n], int(np.argmax(label == found[n]))))
    large = [int(found[n]) for n in order if count[n] >= LEAST_ACCOUNTS]
    if len(large) < 2:
        return [(accounts, jobs)]
    number = {part: n for n, part in enumerate(large)}
    of_job = np.array([number.get(int(x), -1) for x in label[len(accounts) :]])
    # Jobs first, by the accounts that are in a part; then accounts, by their jobs.
    of_account = np.array([number.get(int(x), -1) for x in label[: len(accounts)]])
    of_job = _settled(of_job, column, of_account[row], sent, len(large))
    of_account = _settled(of_account, row, of_job[column], sent, len(large))
    return [(accounts[of_account == n], jobs[of_job == n]) for n in range(len(large))]


def _settled(part: Integers, item: Integers, others: Integers, sent: np.ndarray, parts_found: int) -> Integers:
    """Put each item without a part where most of its exchanges go; the largest part where they go nowhere."""
    weight = np.zeros((len(part), parts_found))
    np.add.at(weight, (item[others >= 0], others[others >= 0]), sent[others >= 0])
    return np.where(part >= 0, part, weight.argmax(axis=1))
