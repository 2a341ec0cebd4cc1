"""What a group's values reach, against the same counted by hand."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.engine import DuckDB
from stillwatch.evidence import kinds
from stillwatch.evidence.links import Reach, clusters, holders

[EXIT] = [kind for kind in kinds() if kind.name == "shared_exit"]
COUNTRIES = [None, "AA", "BB", "CC"]


@pytest.fixture(scope="module", params=range(4))
def held(request, tmp_path_factory):
    """Who holds which value, of which country each account is, and what the engine says of it."""
    draw = random.Random(request.param)
    rows = {(draw.randrange(40), draw.choice([f"v{i}" for i in range(30)])) for _ in range(draw.choice([0, 5, 90]))}
    rows |= {(a, f"own{a}") for a in range(0, 60, 3)}
    country = {a: draw.choice(COUNTRIES) for a in range(60)}
    with DuckDB(tmp_path_factory.mktemp("links")) as engine:
        exits = pa.table({"account_no": [a for a, _ in rows], "ip": [v for _, v in rows]})
        engine.register("traffic", exits)
        known = {"account_no": list(country), "country": pa.array(country.values(), pa.string())}
        engine.register("known_accounts", pa.table(known))
        yield rows, country, holders(engine, EXIT)


@pytest.mark.parametrize("members", [[0, 1, 2, 3, 4], [7], list(range(0, 40, 2)), [50, 59]])
def test_reach_is_what_is_counted_by_hand(held, members):
    rows, country, of = held
    of_value = defaultdict(set)
    for account, value in rows:
        of_value[value].add(account)
    known = {a for a, _ in rows}
    reach = Reach(of, 2)
    seen = [reach.of(np.array(members)) for _ in range(2)][1]  # a second time: nothing is left of the first
    inside = set(members)
    mine = {v: holding for v, holding in of_value.items() if holding & inside}
    outside = {a for holding in mine.values() for a in holding} - inside
    assert seen.outside == len(outside)
    together = [(a, v) for v, h in mine.items() if len(h & inside) > 1 for a in h & inside]
    assert sorted(seen.account.tolist()) == sorted(a for a, _ in together)
    assert len(set(seen.value.tolist())) == len({v for _, v in together})
    could = [
        (a, v)
        for v, h in mine.items()
        if len(h) > 1 and len(h & inside) * (len(known) + 1) >= 2 * (2 * len(h - inside) - 1)
        for a in h & inside
    ]
    assert seen.holder.tolist() == sorted(a for a, _ in could)
    regions = sorted({country[a] for a in inside & known} - {None})
    assert seen.members.tolist() == [sum(country[a] == r for a in inside & known) for r in regions]
    assert seen.everybody.tolist() == [sum(country[a] == r for a in known) for r in regions]
    assert seen.hit.tolist() == [sum(country[a] == r for a in outside) for r in regions]


@pytest.mark.parametrize("seed", range(20))
def test_clusters_are_what_edges_join(seed):
    draw = random.Random(seed)
    edges = [(draw.randrange(30), draw.randrange(100, 125)) for _ in range(draw.randrange(40))]
    joined: dict[int, set[int]] = {a: {a} for a, _ in edges}
    for _ in edges:  # as often as it may take to reach everybody
        for a, v in edges:
            for b, w in edges:
                if v == w and joined[a] is not joined[b]:
                    merged = joined[a] | joined[b]
                    for c in merged:
                        joined[c] = merged
    accounts, label = clusters(np.array([a for a, _ in edges], np.int64), np.array([v for _, v in edges], np.int64))
    assert accounts.tolist() == sorted(joined)
    for a, first in zip(accounts.tolist(), label.tolist(), strict=True):
        assert accounts[first] == min(joined[a])
