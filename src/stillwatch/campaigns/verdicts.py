"""What analysts said before, as evidence in this scan: confirmed, dismissed, or explained by a named rival.

A verdict on a campaign speaks of the accounts that it had then. It is taken for a group where half of the smaller is in
the larger, as the ledger takes campaigns for the same; and only while at least half of the group are those accounts: a
group that has grown beyond that is judged anew, and the scan says so.

An analyst is taken to be wrong once in a hundred, which is a convention. A dismissal therefore leaves a hundredth of
what the campaign was held for when it was dismissed; evidence that has come since counts in full, so that a dismissed
campaign comes back by itself once the new evidence alone would outweigh the analyst.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from stillwatch.campaigns.calibration import calibration
from stillwatch.campaigns.judgement import FLOOR, RIVALS, JudgedFactor, Judgement, WeighedRival
from stillwatch.campaigns.search import LIKELY, Candidate
from stillwatch.errors import InputError
from stillwatch.evidence.kind import Claim, Conduct
from stillwatch.evidence.weigh import Observation

Said = Literal["confirmed", "dismissed", "explained"]
RIGHT = 0.99
BITS = float(np.log2(RIGHT / (1 - RIGHT)))
# Probabilities nearer to 0 or 1 than this are taken as this: 30 bits, more than any judgement rests on.
SURE = 1e-9


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict. accounts: who took part by the findings that it is of; probability: what they said, without
    verdicts. rival: the explanation, where it was explained."""

    verdict_id: str
    time: datetime
    subject_kind: Literal["campaign", "account"]
    subject: str
    verdict: Said
    rival: str | None
    accounts: frozenset[str]
    probability: float

    @property
    def against(self) -> bool:
        """Whether it speaks against the finding."""
        return self.verdict != "confirmed"


def rival_of(name: str | None) -> tuple[Claim, str] | None:
    """The factor that a rival competes with, and the rival's name; None where there is no such rival."""
    return next(((claim, r.name) for claim, rivals in RIVALS.items() for r in rivals if r.name == name), None)


def verdicts_of(table: pa.Table) -> list[Verdict]:
    """The verdicts of a table (`tables.VERDICTS`), earliest first; InputError where one is none."""
    made = []
    for number, row in enumerate(table.to_pylist(), 1):
        if row["subject_kind"] not in ("campaign", "account"):
            raise InputError(f"verdicts, row {number}: subject_kind is {row['subject_kind']!r}; campaign or account")
        if row["verdict"] not in get_args(Said):
            raise InputError(f"verdicts, row {number}: verdict is {row['verdict']!r}; {', '.join(get_args(Said))}")
        if row["verdict"] == "explained" and rival_of(row["rival"]) is None:
            raise InputError(
                f"verdicts, row {number}: no rival {row['rival']!r}; they are in the reference of evidence"
            )
        made.append(
            Verdict(
                row["verdict_id"],
                row["time"],
                row["subject_kind"],
                row["subject"],
                row["verdict"],
                row["rival"],
                frozenset(row["accounts"] or ()),
                row["probability"] if row["probability"] is not None else LIKELY,
            )
        )
    return sorted(made, key=lambda v: (v.time, v.verdict_id))


def overlap(one: frozenset[str], other: frozenset[str]) -> Fraction | None:
    """How far two sets of accounts are the same campaign's (Jaccard); None where they are not taken for it."""
    common = len(one & other)
    if not common or 2 * common < min(len(one), len(other)):
        return None
    return Fraction(common, len(one) + len(other) - common)


def outgrown(verdict: Verdict, accounts: frozenset[str]) -> bool:
    """Whether most of the accounts are others than those that the verdict was of."""
    return 2 * len(accounts - verdict.accounts) > len(accounts)


def last_said(verdicts: Sequence[Verdict], accounts: frozenset[str]) -> Verdict | None:
    """The last verdict on a campaign of these accounts, outgrown or not."""
    of = [v for v in verdicts if v.subject_kind == "campaign" and overlap(v.accounts, accounts) is not None]
    return max(of, key=lambda v: (v.time, v.verdict_id), default=None)


def accounts_said(verdicts: Sequence[Verdict]) -> dict[str, Verdict]:
    """The last verdict on each account that has one of its own."""
    return {v.subject: v for v in sorted(verdicts, key=lambda v: (v.time, v.verdict_id)) if v.subject_kind == "account"}


def heed(
    candidates: Sequence[Candidate], verdicts: Sequence[Verdict], account_ids: Mapping[int, str]
) -> tuple[list[Candidate], list[str]]:
    """Candidates with the verdicts as evidence, and remarks on what they changed, in sentences.

    account_ids: the names behind account numbers.
    """
    if not verdicts:
        return list(candidates), []
    of_accounts = accounts_said(verdicts)
    heeded = [_members(candidate, of_accounts, account_ids) for candidate in candidates]
    remarks = []
    spared = sum(1 for v in of_accounts.values() if v.against)
    if spared:
        remarks.append(f"{spared:,} accounts are not accused because analysts said that they take no part.")
    names = [_accounts(candidate, account_ids) for candidate in heeded]
    said = [last_said(verdicts, of) if of else None for of in names]
    for place, verdict in enumerate(said):
        if verdict is None:
            continue
        if outgrown(verdict, names[place]):
            new = len(names[place] - verdict.accounts)
            remarks.append(
                f"{verdict.verdict_id} ({verdict.verdict} on {verdict.time:%-d %B %Y}) is not applied to a group of "
                f"which {new:,} of {len(names[place]):,} accounts are new since: it is judged anew."
            )
        elif verdict.against:
            heeded[place] = _lowered(heeded[place], verdict)
            again = heeded[place].verdict == "campaign"
            remarks.append(
                f"{verdict.verdict_id}: an analyst {_words(verdict)} a campaign of {len(verdict.accounts):,} accounts; "
                + ("what was seen since outweighs that, and it is named again." if again else "it stays so.")
            )
        elif _nearest(verdict, names, said) == place:
            heeded[place] = _raised(heeded[place], verdict)
    return heeded, remarks


def _words(verdict: Verdict) -> str:
    how = f"explained (by {(verdict.rival or '').replace('_', ' ')})" if verdict.verdict == "explained" else "dismissed"
    return f"on {verdict.time:%-d %B %Y} {how}"


def _nearest(verdict: Verdict, names: list[frozenset[str]], said: list[Verdict | None]) -> int:
    """Of several groups of one confirmed campaign's accounts, the one that is most of it: the rest may be strangers who
    share something with a few of them."""
    places = [n for n, v in enumerate(said) if v is verdict]
    return max(places, key=lambda n: (overlap(verdict.accounts, names[n]) or Fraction(0), -n))


def _accounts(candidate: Candidate, account_ids: Mapping[int, str]) -> frozenset[str]:
    likely = candidate.weighed.members[candidate.membership >= LIKELY]
    return frozenset(account_ids[int(account)] for account in likely)


def _members(candidate: Candidate, said: Mapping[str, Verdict], account_ids: Mapping[int, str]) -> Candidate:
    """The candidate with the membership of single accounts as analysts have it."""
    if not any(account_ids[int(account)] in said for account in candidate.weighed.members):
        return candidate
    membership = candidate.membership.copy()
    for place, account in enumerate(candidate.weighed.members):
        verdict = said.get(account_ids[int(account)])
        if verdict is not None:
            odds = _odds(float(membership[place])) - (BITS if verdict.against else -BITS)
            most = 1 - RIGHT if verdict.against else 1.0
            membership[place] = min(most, _probability(odds))
    return replace(candidate, belonging=partial(np.copy, membership))


def _odds(probability: float) -> float:
    """log2 odds."""
    held = min(1 - SURE, max(SURE, probability))
    return float(np.log2(held / (1 - held)))


def _probability(odds: float) -> float:
    return float(1 / (1 + 2.0**-odds))


def _lowered(candidate: Candidate, verdict: Verdict) -> Candidate:
    """The candidate's odds divided by those that it had when it was dismissed, and by what the analyst is worth: put on
    the rival that was named, else on the one that explained it best already."""
    judged = candidate.judgement
    target = min(judged.probability, _probability(_odds(judged.probability) - _odds(verdict.probability) - BITS))
    named = rival_of(verdict.rival) if verdict.verdict == "explained" else None
    factor = next(f for f in judged.factors if f.name == named[0]) if named else judged.weakest
    rival = next(r for r in factor.rivals if r.kind.name == named[1]) if named else factor.rivals[0]
    others = judged.product / factor.probability
    weight = sum(2.0**-r.bits for r in factor.rivals if r is not rival)
    least = max(2.0**-rival.bits, others / max(calibration().product_for(target), SURE) - 1 - weight)
    bits = max(FLOOR, -float(np.log2(least)))
    return _with(candidate, _moved(factor, {rival.kind.name: bits - rival.bits}, verdict))


def _raised(candidate: Candidate, verdict: Verdict) -> Candidate:
    """The candidate with what an analyst is worth against every rival of every factor."""
    for factor in candidate.judgement.factors:
        candidate = _with(candidate, _moved(factor, {r.kind.name: BITS for r in factor.rivals}, verdict))
    return candidate


def _moved(factor: JudgedFactor, bits: Mapping[str, float], verdict: Verdict) -> JudgedFactor:
    seen = _observation(factor.name, bits, verdict)
    rivals = [
        WeighedRival(r.kind, r.bits + bits[r.kind.name], (*r.moved, (seen, bits[r.kind.name])))
        if r.kind.name in bits
        else r
        for r in factor.rivals
    ]
    rivals.sort(key=lambda r: (r.bits, r.kind.name))
    probability = 1.0 / (1.0 + sum(2.0**-r.bits for r in rivals))
    # A factor may have been held lower than its rivals leave it: that holds on for a dismissal, and ends with a person.
    bound = min if verdict.against else max
    return JudgedFactor(factor.name, bound(probability, factor.probability), tuple(rivals))


def _with(candidate: Candidate, factor: JudgedFactor) -> Candidate:
    factors = tuple(factor if f.name == factor.name else f for f in candidate.judgement.factors)
    return replace(candidate, judgement=Judgement(factors))


def _observation(claim: Claim, bits: Mapping[str, float], verdict: Verdict) -> Observation:
    if verdict.verdict == "confirmed":
        said = f"an analyst confirmed it on {verdict.time:%-d %B %Y}"
    else:
        said = f"an analyst {_words(verdict)} it"
    kind = Conduct(
        name="analyst_verdict",
        view="standing",
        claim=claim,
        sees="a verdict that an analyst gave on these accounts",
        technique=None,
        benign_causes=("an analyst's mistake",),
        explained_by=frozenset(),
        needs=(),
        statement=f"{said} ({verdict.verdict_id})".replace("{", "{{").replace("}", "}}"),
        sql="",
        weigh=_unweighed,
    )
    return Observation(kind, sum(bits.values()) / len(bits), {}, dict(bits))


def _unweighed(_: Mapping[str, Any]) -> None:
    """Verdicts are weighed here, not by counts."""
