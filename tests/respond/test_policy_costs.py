"""The policy: the ladder that comes of its costs, what it refuses, and how it is written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.respond.respond_examples import policy

from stillwatch.errors import InputError
from stillwatch.respond.decision import Measure
from stillwatch.respond.policy import DEFAULTS, Policy, as_toml, parse_policy, read_policy


def test_the_ladder_that_comes_of_the_defaults():
    steps = {m.text: least for m, least in DEFAULTS.steps()}
    # By hand: p·10·(0.5-0.3) = (1-p)·(5-1) at odds of 2, p·10·0.2 = (1-p)·15 at 7.5, p·10·0.1 = (1-p)·80 at 80.
    assert steps == {
        "observe": 0.0,
        "withhold_reasoning": 0.5,
        "throttle": pytest.approx(2 / 3, abs=2e-3),
        "step_up": pytest.approx(7.5 / 8.5, abs=2e-3),
        "block": pytest.approx(80 / 81, abs=2e-3),
    }


def test_dry_run_is_the_default():
    assert DEFAULTS.dry_run


def test_nothing_is_done_to_who_is_likelier_innocent():
    free = policy(costs={"missed": 1e6})
    assert free.choose(0.499) is Measure.OBSERVE
    assert free.choose(0.5) is Measure.BLOCK


def test_who_has_the_verification_is_not_asked_for_it():
    assert DEFAULTS.choose(0.9) is Measure.STEP_UP
    assert DEFAULTS.choose(0.9, "phone") is Measure.STEP_UP
    assert DEFAULTS.choose(0.9, "identity") is Measure.THROTTLE
    assert DEFAULTS.choose(0.99, "identity") is Measure.BLOCK


def test_a_dearer_wrong_block_needs_more_certainty():
    dear = policy(costs={"honest": {"block": 100_000}})
    assert DEFAULTS.choose(0.999) is Measure.BLOCK
    assert dear.choose(0.999) is Measure.STEP_UP


def test_probabilities_are_taken_as_calibrated():
    wary = policy(belief={"stated": [0.5, 0.9, 1.0], "calibrated": [0.3, 0.6, 0.9]})
    assert wary.belief.believed(0.9) == pytest.approx(0.6)
    assert wary.belief.believed(0.7) == pytest.approx(0.45)
    assert wary.belief.believed(0.25) == pytest.approx(0.15)
    assert wary.choose(0.95) is Measure.THROTTLE
    assert DEFAULTS.belief.believed(1.0) == 0.99


costs = st.lists(st.floats(0, 1000), min_size=5, max_size=5).map(sorted)
shares = st.lists(st.floats(0, 1), min_size=5, max_size=5).map(lambda x: sorted(x, reverse=True))
NAMES = [m.text for m in Measure]


@st.composite
def policies(draw):
    return policy(
        costs={
            "missed": draw(st.floats(0, 1000)),
            "honest": dict(zip(NAMES, draw(costs), strict=True)),
            "lets_through": dict(zip(NAMES, draw(shares), strict=True)),
        },
        belief={"least": draw(st.floats(0, 1)), "most": draw(st.floats(0, 1))},
    )


@given(policies(), st.floats(0, 1), st.floats(0, 1), st.sampled_from([None, "none", "identity"]))
def test_a_greater_probability_never_gets_a_milder_measure(given_policy, p, q, verification):
    low, high = sorted((p, q))
    assert given_policy.choose(low, verification) <= given_policy.choose(high, verification)


@given(policies(), st.floats(0, 1))
def test_no_measure_costs_less_than_the_one_taken(given_policy, p):
    believed = given_policy.belief.believed(p)
    if p >= given_policy.belief.least:
        taken = given_policy.expected_cost(given_policy.choose(p), believed)
        assert all(given_policy.expected_cost(m, believed) >= taken for m in Measure)


@given(policies())
def test_what_is_written_is_read_as_it_was(given_policy):
    assert parse_policy(as_toml(given_policy), "there") == given_policy


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dryrun = true", "p.toml: dryrun: no such setting"),
        ("[costs]\nmissed = -1", "p.toml: costs.missed: Input should be greater than or equal to 0, not -1"),
        ("[costs.honest]\nblock = 1", "honest.block must be at least honest.step_up"),
        ("[costs.lets_through]\nblock = 0.5", "lets_through.block must be at most lets_through.step_up"),
        ("[caps]\nshare_of_accounts = 2", "p.toml: caps.share_of_accounts: Input should be less than or equal to 1"),
        ("[appeals]\nthrottle = 'block'", "throttle must not become harder by an appeal"),
        ("[belief]\nstated = [0.1]", "stated and calibrated must have as many points"),
        ("[belief]\nstated = [0.5, 0.1]\ncalibrated = [0.1, 0.2]", "stated must ascend"),
        ("verification = 'passport'", "p.toml: verification: Input should be 'email', 'phone', 'identity' or"),
        ("dry_run = ", "p.toml: "),
    ],
)
def test_a_bad_policy_is_refused_with_the_settings_name(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(InputError) as raised:
        read_policy(Path("p.toml"))
    assert said in str(raised.value)


def test_every_setting_says_why():
    def fields(model):
        for name, field in model.model_fields.items():
            value = getattr(model.model_validate({}), name)
            if isinstance(value, BaseModel):
                yield from fields(type(value))
            else:
                yield model.__name__, name, field.description

    assert [f for f in fields(Policy) if not f[2]] == []
