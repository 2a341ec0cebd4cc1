"""What a group's values reach, against the same counted by hand."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.engine import DuckDB
from stillwatch.evidence import kinds, links
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


GROUPS = [[0, 1, 2, 3, 4], [7], list(range(0, 40, 2)), [50, 59], list(range(60))]


def test_reach_is_what_is_counted_by_hand(held, monkeypatch):
    """With sets of accounts for popular values and without, and each a second time: nothing is left of the first."""
    rows, country, of = held
    rate = links.REGION_WEIGHT
    of_value = defaultdict(set)
    for account, value in rows:
        of_value[value].add(account)
    known = {a for a, _ in rows}
    for least in (links.HUB, 0):
        monkeypatch.setattr(links, "HUB", least)
        reach = Reach(of, 2)
        reach.of([np.array(members) for members in GROUPS])
        seen = reach.of([np.array(members) for members in GROUPS])
        flags = iter(seen.flags.tolist())
        for n, members in enumerate(GROUPS):
            inside = set(members)
            mine = {v: holding for v, holding in of_value.items() if holding & inside}
            outside = {a for holding in mine.values() for a in holding} - inside
            together = {v: h & inside for v, h in mine.items() if len(h & inside) > 1}
            hit = {a for h in together.values() for a in h}
            assert [next(flags) for _ in members] == [-1 if a not in known else int(a in hit) for a in members]
            assert seen.data[n] == len(inside & known)
            assert seen.hit[n] == len(hit)
            found, label = clusters(
                np.array([a for h in together.values() for a in h], np.int64),
                np.array([v for v, h in enumerate(together.values()) for _ in h], np.int64),
            )
            assert seen.hands[n] == len(np.unique(label)) <= len(found)
            assert seen.outside[n] == len(outside)
            own = {r: sum(country[a] == r for a in inside & known) for r in COUNTRIES[1:]}
            others = {r: sum(country[a] == r for a in known - inside) for r in own if own[r]}
            reached = {r: sum(country[a] == r for a in outside) for r in others}
            overall = sum(reached.values()) / max(1, sum(others.values()))
            expected = sum((reached[r] + rate * overall) / (others[r] + rate) * own[r] for r in others)
            assert seen.by_region[n] == pytest.approx(expected / max(1, sum(own.values())))
            could = [
                (members.index(a), sorted(v for v, h in of_value.items() if len(h) > 1).index(v))
                for v, h in mine.items()
                if len(h) > 1 and len(h & inside) * (len(known) + 1) >= 2 * (2 * len(h - inside) - 1)
                for a in h & inside
            ]
            place, value = reach.joining(np.array(members))
            assert list(zip(place.tolist(), value.tolist(), strict=True)) == sorted(could)


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
