"""Every kind of evidence keeps its dossier's promises: worked examples give their bits, statements read."""

from __future__ import annotations

import string
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.campaigns import RIVALS
from stillwatch.evidence import Conduct, Link, Trait, kinds
from stillwatch.evidence.kind import VIEW_CAP, linkage, linkages, view_bits

VIEWS = {"identity", "registration", "infrastructure", "handover", "timing", "partition", "content", "adaptation"}
KNOWN_RIVALS = {rival.name for rivals in RIVALS.values() for rival in rivals}


def bits_of(kind, counts):
    if isinstance(kind, Conduct):
        return kind.weigh(counts) or {}
    return {"*": linkage(counts["joined"], counts["chances"], counts["outsiders_hit"], counts["outsiders"])}


def test_all_eight_views_have_a_kind():
    assert {kind.view for kind in kinds()} >= VIEWS


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_worked_examples_give_their_bits(kind):
    assert any(e.least is not None for e in kind.examples), "an example for"
    assert any(e.most is not None for e in kind.examples), "an example against"
    for example in kind.examples:
        bits = bits_of(kind, example.counts)
        if example.least is not None:
            assert max(bits.values(), default=0.0) >= example.least - 1e-9
        if example.most is not None:
            assert min(bits.values(), default=0.0) <= example.most + 1e-9


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_statement_reads_from_the_counts(kind):
    fields = {name for _, name, _, _ in string.Formatter().parse(kind.statement) if name}
    counts = dict(kind.examples[0].counts)
    if isinstance(kind, Link | Trait):
        counts |= {"hit": 1, "members": 2}
    assert fields and fields <= set(counts)
    assert kind.benign_causes and kind.needs and kind.technique
    assert kind.explained_by <= KNOWN_RIVALS


@pytest.mark.parametrize("kind", [k for k in kinds() if isinstance(k, Conduct)], ids=lambda kind: kind.name)
@given(data=st.data())
def test_conduct_never_gives_more_than_it_says(kind, data):
    """Groups are left out by what this says of them at most."""
    columns = sorted(set().union(*(example.counts for example in kind.examples)))
    counts = data.draw(st.fixed_dictionaries({name: st.integers(0, 10**7) for name in columns}))
    parts = {"main_business": ("job", "everything"), "no_dialogue": ("single", "exchanges"),
             "payload_variety": ("prompts", "exchanges")}.get(kind.name)  # fmt: skip
    if parts:  # a part is at most the whole
        counts[parts[0]] = min(counts[parts[0]], counts[parts[1]])
    for rival, bits in bits_of(kind, counts).items():
        assert bits <= kind.most.get(rival, 0.0) + 1e-9


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 500), st.integers(0, 500))
def test_absence_of_a_trace_costs_one_bit_at_most(a, b, c, d):
    joined, chances = sorted((a, b))
    hit, outsiders = sorted((c, d))
    assert linkage(joined, chances, hit, outsiders) >= -1.0 - 1e-9


@given(st.integers(1, 60), st.integers(0, 100), st.integers(300, 600))
def test_bits_grow_with_members_joined_and_fall_with_outsiders_hit(chances, hit, outsiders):
    joined = np.arange(chances + 1)
    bits = linkages(joined, *(np.full(chances + 1, n) for n in (chances, hit, outsiders))).tolist()
    assert bits[-1] == linkage(chances, chances, hit, outsiders)
    above = [b for k, b in enumerate(bits) if k / chances > (hit + 0.5) / (outsiders + 1)]
    assert all(y >= x - 1e-9 for x, y in pairwise(above))
    assert linkage(chances, chances, hit, outsiders) >= linkage(chances, chances, outsiders, outsiders) - 1e-9


def test_a_value_that_everybody_shares_is_worth_nothing():
    assert abs(linkage(39, 39, 1990, 2000)) < 1.0


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=6))
def test_a_view_never_exceeds_its_best_kind_nor_its_cap(bits):
    assert view_bits(bits) <= max(bits) + 1e-9 or max(bits) < -VIEW_CAP
    assert abs(view_bits(bits)) <= VIEW_CAP
    assert view_bits(bits) == pytest.approx(view_bits(bits[::-1]))
