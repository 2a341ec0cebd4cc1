"""Analysts' verdicts in the next scan: what they move, how far, and when they do not hold any more."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scan.scan_worlds import HAND, accounts, rows, write

from stillwatch.campaigns.judgement import RIVALS, JudgedFactor, Judgement, WeighedRival
from stillwatch.campaigns.search import Candidate
from stillwatch.campaigns.verdicts import BITS, Verdict, heed, verdicts_of
from stillwatch.errors import InputError
from stillwatch.evidence.weigh import Weighed
from stillwatch.findings import Findings
from stillwatch.respond import answers
from stillwatch.respond.found import read_found
from stillwatch.respond.state import State
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.tables import VERDICTS

WHEN = datetime(2026, 6, 1, tzinfo=UTC)
NAMES = {n: f"a{n}" for n in range(100)}


def judgement(**bits: float) -> Judgement:
    """Factors whose rivals each have so many bits against them, by factor."""
    factors = []
    for claim, rivals in RIVALS.items():
        weighed = tuple(sorted((WeighedRival(r, bits.get(claim, 8.0), ()) for r in rivals), key=lambda w: w.kind.name))
        factors.append(JudgedFactor(claim, 1 / (1 + sum(2.0**-w.bits for w in weighed)), weighed))
    return Judgement(tuple(factors))


def candidate(members: range = range(10), **bits: float) -> Candidate:
    numbers = np.array(members, np.int64)
    return Candidate(Weighed(numbers), judgement(**bits), partial(np.full, len(numbers), 0.99), (1,))


def verdict(said="dismissed", of: range = range(10), p=None, **columns) -> Verdict:
    accounts = frozenset(NAMES[n] for n in of)
    probability = candidate().judgement.probability if p is None else p
    return Verdict("V-1", WHEN, "campaign", "C-1", said, columns.get("rival"), accounts, probability)


def heeded(one: Candidate, *said: Verdict) -> tuple[Candidate, list[str]]:
    [made], remarks = heed([one], said, NAMES)
    return made, remarks


def test_without_verdicts_nothing_is_another():
    one = candidate()
    made, remarks = heeded(one)
    assert (made.judgement, remarks, made.membership.tolist()) == (one.judgement, [], one.membership.tolist())


def test_a_dismissed_campaign_stays_dismissed_and_says_so():
    one = candidate()
    assert one.verdict == "campaign"
    made, remarks = heeded(one, verdict())
    assert made.judgement.probability == pytest.approx(0.01, abs=1e-6)
    assert made.verdict == "cleared"
    assert remarks == ["V-1: an analyst on 1 June 2026 dismissed a campaign of 10 accounts; it stays so."]
    seen = [o for f in made.judgement.factors for r in f.rivals for o, _ in r.moved]
    assert [o.statement for o in seen] == ["an analyst on 1 June 2026 dismissed it (V-1)"]


def test_an_explanation_moves_the_rival_that_was_named():
    made, _ = heeded(candidate(), verdict("explained", rival="evaluation"))
    extraction = next(f for f in made.judgement.factors if f.name == "extraction")
    assert extraction.rivals[0].kind.name == "evaluation"
    assert made.judgement.weakest is extraction
    assert made.judgement.probability == pytest.approx(0.01, abs=1e-6)


def test_evidence_that_came_since_counts_in_full():
    """Dismissed when it was held for 3 to 1; that it is now held for 3000 to 1 outweighs the analyst's 99 to 1."""
    then = verdict(p=0.75)
    weak, strong = candidate(one_hand=1.5), candidate(one_hand=14.0, extraction=14.0, unsanctioned=14.0)
    assert heeded(weak, then)[0].verdict == "cleared"
    made, remarks = heeded(strong, then)
    assert made.verdict == "campaign"
    assert remarks[0].endswith("what was seen since outweighs that, and it is named again.")


def test_a_campaign_that_has_outgrown_its_dismissal_is_judged_anew():
    grown = candidate(range(21))
    made, remarks = heeded(grown, verdict())
    assert made.judgement == grown.judgement
    assert "11 of 21 accounts are new since: it is judged anew" in remarks[0]
    assert heeded(candidate(range(20)), verdict())[0].verdict == "cleared"


def test_a_confirmation_is_evidence_for_it():
    doubtful = candidate(extraction=1.7)
    assert doubtful.verdict == "undetermined"
    made, _ = heeded(doubtful, verdict("confirmed", p=0.3))
    assert made.verdict == "campaign"
    for before, after in zip(doubtful.judgement.factors, made.judgement.factors, strict=True):
        for rival in after.rivals:
            was = next(r for r in before.rivals if r.kind is rival.kind)
            assert rival.bits == pytest.approx(was.bits + BITS)


def test_a_confirmation_goes_to_one_group_and_not_to_strangers_around_it():
    campaign, strangers = candidate(range(10), one_hand=1.0), candidate(range(8, 12), one_hand=1.0)
    made, _ = heed([strangers, campaign], [verdict("confirmed")], NAMES)
    assert made[0].judgement == strangers.judgement
    assert made[1].judgement.probability > campaign.judgement.probability


def test_the_last_verdict_counts():
    first, last = verdict(), replace(verdict("confirmed"), verdict_id="V-2", time=WHEN.replace(month=7))
    made, _ = heeded(candidate(), last, first)
    assert made.verdict == "campaign"


def test_other_campaigns_are_let_alone():
    other = candidate(range(50, 60))
    assert heeded(other, verdict())[0].judgement == other.judgement


def test_a_single_account_is_cleared_or_confirmed():
    clear = replace(verdict(), subject_kind="account", subject="a3", accounts=frozenset({"a3"}))
    made, remarks = heeded(candidate(), clear)
    assert made.membership[3] == pytest.approx(0.01)
    assert np.delete(made.membership, 3).tolist() == [0.99] * 9
    assert remarks == ["1 accounts are not accused because analysts said that they take no part."]
    unsure = replace(candidate(), belonging=partial(np.full, 10, 0.4))
    confirm = replace(clear, verdict="confirmed")
    assert heeded(unsure, confirm)[0].membership[3] > 0.95


@given(
    st.sampled_from(["confirmed", "dismissed", "explained"]),
    st.floats(0.01, 0.9999),
    *[st.floats(-5, 15)] * 3,
)
def test_a_verdict_never_moves_it_the_other_way(said, p, one_hand, extraction, unsanctioned):
    one = candidate(one_hand=one_hand, extraction=extraction, unsanctioned=unsanctioned)
    made, _ = heeded(one, verdict(said, p=p, rival="contract"))
    before, after = one.judgement.probability, made.judgement.probability
    assert after >= before - 1e-12 if said == "confirmed" else after <= before + 1e-12
    assert all(0 <= f.probability <= 1 for f in made.judgement.factors)


def table(**columns):
    row = {"verdict_id": "V-1", "time": WHEN, "subject_kind": "campaign", "subject": "C-1", "verdict": "dismissed"}
    return pa.Table.from_pylist([row | columns], schema=VERDICTS.schema)


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"subject_kind": "pool"}, "row 1: subject_kind is 'pool'"),
        ({"verdict": "guilty"}, "row 1: verdict is 'guilty'"),
        ({"verdict": "explained", "rival": "aliens"}, "row 1: no rival 'aliens'"),
    ],
)
def test_a_table_that_makes_no_sense(columns, fault):
    with pytest.raises(InputError, match=fault):
        verdicts_of(table(**columns))


def test_from_the_analyst_to_the_next_scan_and_the_one_after(tmp_path):
    """A real scan, a verdict on it, and scans that are told of it."""
    world = write(tmp_path / "world", rows(), accounts())

    def again(name: str, verdicts=None) -> Findings:
        return scan(Request((str(world),), tmp_path / name, verdicts=verdicts), Settings(threads=1))

    [campaign] = again("first").campaigns
    state = State.open(tmp_path / "state.db")
    first = read_found(tmp_path / "first")
    assert first.members(campaign.id) == set(HAND)
    answers.give_verdict(state, first, campaign.id, "explained", rival="evaluation", who="jane", why="ours", at=WHEN)
    assert state.export_verdicts(tmp_path / "verdicts.parquet") == 1
    told = again("second", tmp_path / "verdicts.parquet")
    assert told.campaigns == []
    assert any("explained (by evaluation) a campaign of 10 accounts; it stays so" in note for note in told.notes)
    cleared = next(c for c in told.cleared if c.explanation == "evaluation" and "an analyst" in c.reason)
    assert cleared.verdict == "cleared"
    assert "jane" not in (tmp_path / "second" / "findings.json").read_text()
    answers.give_verdict(state, None, campaign.id, "confirmed", who="joe", why="not ours", at=WHEN.replace(month=7))
    state.export_verdicts(tmp_path / "verdicts.parquet")
    [back] = again("third", tmp_path / "verdicts.parquet").campaigns
    assert back.probability > campaign.probability
    assert any(e.kind == "analyst_verdict" for f in back.factors for e in f.evidence)
    state.close()


def test_a_file_that_is_no_table_of_verdicts(tmp_path):
    world = write(tmp_path / "world", rows(hand=False)[:50], None)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "verdicts.parquet")
    with pytest.raises(InputError, match="required column missing for verdicts"):
        scan(Request((str(world),), tmp_path / "out", verdicts=tmp_path / "verdicts.parquet"), Settings(threads=1))
