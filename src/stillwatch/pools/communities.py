"""Accounts that links alone join, whatever they send: the other side from which candidate groups come."""

from __future__ import annotations

import graspologic_native as native
import numpy as np
import pyarrow as pa

from stillwatch.engine import Engine
from stillwatch.evidence import Link, kinds
from stillwatch.evidence.weigh import Integers

# Views whose links name a hand by themselves. Registration, timing and adaptation only say that accounts were moved
# at the same time, which a launch or a workshop does as well: they weigh a group and do not make one.
JOINING = ("identity", "handover", "infrastructure")
# A pool that is looked for has about eight accounts, the least that a disclosed campaign is scaled to, so a pair is
# under one hand with odds of eight to the number of accounts; a pair's bits must exceed that prior.
LIKELY_POOL = 8
# Each account is paired with the next few that hold the same value, by when they first came: the graph grows with the
# values held and not with the square of how many hold one. Three keep a pool together when one of them is missing.
NEXT = 3
# Leiden's own draws; the same graph and seed give the same communities.
SEED = 1


def _edges(engine: Engine, kind: Link, accounts: int) -> pa.Table:
    """a, b, holders: pairs of accounts that hold one value of a kind, and how many accounts hold it."""
    return engine.query(f"""
        WITH held AS (SELECT DISTINCT account_no, value FROM ({kind.sql})),
        popular AS (
          SELECT account_no, value, count(*) OVER (PARTITION BY value) AS holders,
            row_number() OVER (PARTITION BY value ORDER BY account_no) AS place
          FROM held
        ), few AS (SELECT account_no, value, holders, place FROM popular WHERE holders BETWEEN 2 AND {accounts} // 2)
        SELECT x.account_no AS a, y.account_no AS b, min(x.holders) AS holders
        FROM few AS x JOIN few AS y ON y.value = x.value AND y.place BETWEEN x.place + 1 AND x.place + {NEXT}
        GROUP BY x.account_no, y.account_no ORDER BY a, b
    """)


def communities(engine: Engine, silent: frozenset[str]) -> list[Integers]:
    """Communities of two or more accounts that links join, the earliest first; each an ascending array.

    A value that n of N accounts hold is worth log2(N / n) bits to each pair that holds it: popular values are worth
    little without any list of them. Of one view only the best value counts, since kinds of a view depend on each other;
    views add. Pairs above the prior make the graph, which Leiden (Traag, Waltman and van Eck 2019) divides. Vertices
    are numbered by when accounts first came, so renaming accounts changes nothing.
    """
    accounts = engine.scalar("SELECT count(*) FROM parties")
    best: dict[tuple[int, int], dict[str, float]] = {}
    for kind in kinds():
        if not isinstance(kind, Link) or kind.view not in JOINING or any(c in silent for c in kind.needs):
            continue
        found = _edges(engine, kind, accounts)
        bits = np.log2(accounts / found["holders"].to_numpy())
        for a, b, weight in zip(found["a"].to_pylist(), found["b"].to_pylist(), bits.tolist(), strict=True):
            held = best.setdefault((a, b), {})
            held[kind.view] = max(held.get(kind.view, 0.0), weight)
    prior = np.log2(max(2.0, accounts / LIKELY_POOL))
    edges = [(str(a), str(b), sum(views.values()) - prior) for (a, b), views in sorted(best.items())]
    edges = [edge for edge in edges if edge[2] > 0]
    if not edges:
        return []
    _, label = native.leiden(edges=edges, resolution=1.0, use_modularity=True, seed=SEED)
    together: dict[int, list[int]] = {}
    for name, community in label.items():
        together.setdefault(community, []).append(int(name))
    found_groups = [np.sort(np.array(members, np.int64)) for members in together.values() if len(members) > 1]
    return sorted(found_groups, key=tuple)
