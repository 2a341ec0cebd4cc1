"""Groups of controlled accounts that overlap are one pool; a pool has jobs of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from stillwatch.evidence.weigh import Integers
from stillwatch.pools.senders import Senders

# Groups are one pool where half of the smaller one's accounts, and at least two, are the other's too: strangers' groups
# overlap by the few accounts that try everything, and one hand moves its accounts between its jobs.
SAME_POOL, LEAST_COMMON = 0.5, 2
# A job is a pool's own where half of the accounts that run it are the pool's.
OWN_JOB = 0.5


@dataclass(frozen=True, slots=True)
class PoolCandidates:
    """Pools to be judged. accounts: group_no, account_no. jobs: group_no, job. Both int64 and distinct."""

    accounts: pa.Table
    jobs: pa.Table


def merged(controlled: Sequence[Integers]) -> list[tuple[Integers, list[int]]]:
    """Merge groups of controlled accounts that overlap; give each pool's accounts, ascending, and the groups it is of.

    Pools come in the order of their first account.
    """
    if not controlled:
        return []
    accounts, columns = np.unique(np.concatenate(controlled), return_inverse=True)
    rows = np.repeat(np.arange(len(controlled)), [len(c) for c in controlled])
    incidence = csr_matrix((np.ones(len(rows), np.int64), (rows, columns)), (len(controlled), len(accounts)))
    common = (incidence @ incidence.T).tocoo()
    size = np.asarray(incidence.sum(axis=1)).ravel()
    near = (common.data >= SAME_POOL * np.minimum(size[common.row], size[common.col])) & (common.data >= LEAST_COMMON)
    graph = csr_matrix((np.ones(int(near.sum())), (common.row[near], common.col[near])), incidence.shape[:1] * 2)
    labels = connected_components(graph, directed=False)[1]
    pools = []
    for label in np.unique(labels):
        of = [int(n) for n in np.flatnonzero(labels == label)]
        pools.append((np.unique(np.concatenate([controlled[n] for n in of])), of))
    return sorted(pools, key=lambda p: (tuple(p[0]), p[1]))


def with_their_jobs(pools: Sequence[Integers], sent: Senders) -> PoolCandidates:
    """Give each pool the jobs that are its own, and every account that runs one of them.

    The accounts that are not yet the pool's are candidates that `membership` decides.
    """
    parts_accounts, parts_jobs = [], []
    for number, pool in enumerate(pools):
        jobs, inside = np.unique(sent.job[sent.of_accounts(pool)], return_counts=True)
        own = jobs[(inside >= 2) & (inside >= OWN_JOB * sent.runners[jobs])]
        members = np.unique(sent.account[sent.of_jobs(own)])
        parts_accounts.append(pa.table({"group_no": np.full(len(members), number), "account_no": members}))
        parts_jobs.append(pa.table({"group_no": np.full(len(own), number), "job": own}))
    empty = {"group_no": pa.array([], pa.int64())}
    return PoolCandidates(
        pa.concat_tables([pa.table(empty | {"account_no": pa.array([], pa.int64())}), *parts_accounts]),
        pa.concat_tables([pa.table(empty | {"job": pa.array([], pa.int64())}), *parts_jobs]),
    )
