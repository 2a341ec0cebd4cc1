"""The product of three factors, by hand: no amount of one buys the others."""

from __future__ import annotations

import numpy as np

from stillwatch.campaigns import RIVALS, judge
from stillwatch.evidence import kinds
from stillwatch.evidence.weigh import Observation, Weighed

BY_NAME = {kind.name: kind for kind in kinds()}


def seen(name, bits=0.0, **by_rival):
    return Observation(BY_NAME[name], bits, {}, dict(by_rival))


def judged(*observations, ceiling=1.0):
    return judge(Weighed(np.arange(8), list(observations)), ceiling)


def test_without_evidence_the_priors_speak():
    one_hand, extraction, unsanctioned = judged().factors
    for factor in (one_hand, extraction, unsanctioned):
        expected = 1 / (1 + sum(2.0**-r.prior_bits for r in RIVALS[factor.name]))
        assert factor.probability == expected
    assert one_hand.probability < 0.01


def test_one_view_alone_is_capped():
    strong = judged(seen("shared_exit", 500.0)).factors[0]
    artefact = next(r for r in strong.rivals if r.kind.name == "popular_artefact")
    assert artefact.bits == -7.0 + 12.0


def test_kinds_of_one_view_do_not_add_up():
    one = judged(seen("shared_exit", 9.0)).factors[0].probability
    both = judged(seen("shared_exit", 9.0), seen("shared_block", 9.0)).factors[0].probability
    assert both <= one + 1e-12


def test_a_class_on_one_campus_is_not_one_hand():
    exits = judged(seen("shared_exit", 12.0), seen("signup_burst", 12.0)).factors[0]
    assert exits.rivals[0].kind.name == "cohort_event"
    assert exits.probability < 0.5


def test_exits_in_many_networks_are_not_one_campus():
    assert (
        judged(seen("shared_exit", 12.0), seen("spread_exits", cohort_event=6.0, one_organisation=3.0))
        .factors[0]
        .probability
        > 0.9
    )


def test_no_amount_of_one_hand_buys_a_contract():
    all_for = [seen(n, 30.0) for n in ("shared_payment", "shared_exit", "continued_conversation")]
    judgement = judged(*all_for, seen("standing", contract=-8.0, one_organisation=3.0))
    assert judgement.factors[0].probability > 0.99
    assert judgement.probability < 0.05
    assert judgement.weakest.name == "unsanctioned"


def test_the_ceiling_holds_one_hand_down():
    assert judged(seen("shared_payment", 30.0), seen("shared_exit", 30.0), ceiling=0.6).factors[0].probability <= 0.6
