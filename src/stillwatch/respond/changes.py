"""What may be done to the state, each with its entry in the audit. A `Change` is one transaction's worth of it."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from stillwatch.errors import InputError
from stillwatch.respond.audit import Chain
from stillwatch.respond.database import put
from stillwatch.respond.decide import NewCase
from stillwatch.respond.decision import Decision, Measure
from stillwatch.respond.policy import parse_policy
from stillwatch.respond.schema import APPEALS, CASES, CITED, CYCLES, DECISIONS, INDICATORS, POLICIES, VERDICTS

# Who acts where no person does. Only people close cases and give verdicts.
MACHINE = "stillwatch"
# What a case of each kind may be closed with.
OUTCOMES: dict[str, tuple[str, ...]] = {
    "campaign": ("seen",),
    "returned": ("seen",),
    "contracted": tuple(m.text for m in Measure),
    "stolen_key": ("told",),
    "over_cap": ("act", "leave"),
    "appeal": ("granted", "rejected"),
}
# Longer words are cut off in the audit and refused elsewhere: an appeal is a letter, not a book.
LONGEST_TEXT = 10_000


def new_id(letter: str) -> str:
    """A new id: K case, A appeal, V verdict, I indicator. People type it: short, and 48 bits do not meet by chance."""
    return f"{letter}-{secrets.token_hex(6)}"


def appeal_told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit says of an appeal: of the customer's words only a digest, so that they can be deleted."""
    told = {name: row[name] for name in ("decision_id", "case_id", "account", "holds")}
    return {**told, "text_sha256": hashlib.sha256(row["text"].encode()).hexdigest()}


class Change:
    """One transaction: nobody else writes until it is over."""

    def __init__(self, connection: Connection, chain: Chain, who: str, at: datetime) -> None:
        self.connection, self.who, self.at = connection, _words("by", who), at
        self._chain = chain
        self._changed = False

    def close(self) -> None:
        """Write the audit; the last thing before the transaction ends."""
        self._chain.close(changed=self._changed)

    def record(self, action: str, subject: str, body: dict[str, Any]) -> None:
        """Put anything else into the audit. body: text, whole numbers, booleans, nulls, and lists of them."""
        self._chain.add(self.at, self.who, action, subject, body)

    def looked(self, campaign: str, passage: str) -> None:
        """Record that somebody looked at the text of a passage."""
        self.record("look", campaign, {"passage": passage})

    def adopt(self, text: str, why: str) -> int:
        """Put a policy in force, as the text of its file; its number. Where it is a dry run, what was enforced by the
        one before ends with it, and does not wait for the next judgement."""
        dry_run = parse_policy(text, "the policy").dry_run
        number = int(self.connection.execute(select(func.coalesce(func.max(POLICIES.c.number), 0))).scalar_one()) + 1
        row = {"number": number, "adopted": self.at, "who": self.who, "why": _words("why", why), "text": text}
        self.connection.execute(insert(POLICIES), row)
        self.record("policy", str(number), {"text": text, "why": row["why"]})
        if dry_run:
            of = DECISIONS.c
            enforced = select(of.decision_id).where(of.ended.is_(None), of.dry_run.is_(False), of.expires > self.at)
            for decision_id in self.connection.execute(enforced.order_by(of.decision_id)).scalars().all():
                self.end(decision_id, "the policy is a dry run again")
        return number

    def decide(self, decisions: Sequence[tuple[Decision, bool]]) -> None:
        """Let decisions stand; with each, whether it puts an account under a measure that was under none."""
        rows = []
        for decision, newly in decisions:
            self.record("decision", decision.decision_id, decision.as_json())
            rows.append(self._row(decision, newly))
        put(self.connection, DECISIONS, rows)
        self._changed |= bool(rows)

    def cite(self, cycle_id: str, said: Mapping[str, tuple[str, float]]) -> None:
        """Keep what evidence says that decisions of a cycle were made from: of each id the statement and its bits."""
        rows = []
        for number, (evidence_id, (statement, bits)) in enumerate(sorted(said.items())):
            cited_id = f"{cycle_id[:20]}-{number}"
            told = {"evidence_id": evidence_id, "statement": statement, "bits": bits}
            self.record("cited", cited_id, told)
            rows.append({"cited_id": cited_id, "made": self.at, **told})
        put(self.connection, CITED, rows)

    def _row(self, decision: Decision, newly: bool) -> dict[str, Any]:
        told = decision.as_json()
        return {
            **told,
            "created": decision.created,
            "expires": decision.expires,
            "evidence": json.dumps(told["evidence"]),
            "newly": newly,
            "who": self.who,
            "since_version": self._chain.version + 1,
        }

    def end(self, decision_id: str, why: str) -> None:
        """End a decision that stands, before it expires."""
        ended = {"ended": self.at, "ended_why": why, "ended_version": self._chain.version + 1}
        stands = (DECISIONS.c.decision_id == decision_id) & DECISIONS.c.ended.is_(None)
        if self.connection.execute(update(DECISIONS).where(stands).values(**ended)).rowcount:
            self.record("end", decision_id, {"why": why})
            self._changed = True

    def open_case(self, case: NewCase, decision_id: str | None = None) -> str:
        """Put a question to people; the case's id."""
        case_id = new_id("K")
        row = {
            "case_id": case_id,
            "kind": case.kind,
            "subject_kind": case.subject_kind,
            "subject": case.subject,
            "campaign_id": case.campaign_id,
            "decision_id": decision_id,
            "opened": self.at,
            "text": case.text,
        }
        self.connection.execute(insert(CASES), row)
        told = {name: row[name] for name in ("kind", "subject_kind", "subject", "campaign_id", "decision_id", "text")}
        self.record("case", case_id, told)
        return case_id

    def close_case(self, case_id: str, outcome: str, why: str) -> None:
        """Write how a person answered; what follows from it is in `answers`. InputError where it cannot be."""
        self._person("close a case")
        row = self.connection.execute(select(CASES).where(CASES.c.case_id == case_id)).first()
        if row is None:
            raise InputError(f"{case_id}: no such case; `stillwatch case list` prints them")
        if row.closed is not None:
            raise InputError(f"{case_id}: closed already, by {row.closed_by}, with {row.outcome}")
        if outcome not in OUTCOMES[row.kind]:
            raise InputError(f"{case_id}: a case of {row.kind} is closed with {' or '.join(OUTCOMES[row.kind])}")
        closed = {"closed": self.at, "closed_by": self.who, "outcome": outcome, "why": _words("why", why)}
        self.connection.execute(update(CASES).where(CASES.c.case_id == case_id).values(**closed))
        self.record("close", case_id, {"outcome": outcome, "why": closed["why"]})

    def appeal(self, decision: Decision, account: str | None, text: str, holds: Measure | None) -> tuple[str, str]:
        """Write an appeal and open its case; the ids of both."""
        text = _words("text", text)
        told = f"An appeal against {decision.decision_id}, {decision.measure.text}: is it granted or rejected?"
        case = NewCase("appeal", decision.subject_kind, decision.subject, told, decision.campaign_id)
        case_id, appeal_id = self.open_case(case, decision.decision_id), new_id("A")
        row = {
            "appeal_id": appeal_id,
            "decision_id": decision.decision_id,
            "case_id": case_id,
            "account": account,
            "made": self.at,
            "text": text,
            "holds": None if holds is None else holds.text,
        }
        self.connection.execute(insert(APPEALS), row)
        self.record("appeal", appeal_id, appeal_told(row))
        return appeal_id, case_id

    def appeal_answered(self, case_id: str, outcome: str) -> None:
        """Write what came of the appeal of a case."""
        self.connection.execute(update(APPEALS).where(APPEALS.c.case_id == case_id).values(outcome=outcome))

    def verdict(
        self,
        subject_kind: str,
        subject: str,
        verdict: str,
        *,
        why: str,
        rival: str | None = None,
        accounts: Sequence[str] = (),
        probability: float = 0.5,
    ) -> str:
        """Write an analyst's verdict; its id."""
        self._person("give a verdict")
        verdict_id = new_id("V")
        told = {
            "subject_kind": subject_kind,
            "subject": subject,
            "verdict": verdict,
            "rival": rival,
            "why": _words("why", why),
            "probability": probability,
        }
        listed = json.dumps(sorted(accounts))
        row = {**told, "verdict_id": verdict_id, "time": self.at, "who": self.who, "accounts": listed}
        self.connection.execute(insert(VERDICTS), row)
        self.record("verdict", verdict_id, {**told, "accounts": sorted(accounts)})
        return verdict_id

    def indicate(self, kind: str, value: str, campaign: str, expires: datetime, tlp: str = "amber") -> str:
        """Write what may be shared of a campaign, with whom (Traffic Light Protocol 2.0) and until when; its id."""
        indicator_id = new_id("I")
        row = {"kind": kind, "value": value, "campaign_id": campaign, "tlp": tlp}
        self.connection.execute(
            insert(INDICATORS), {**row, "indicator_id": indicator_id, "created": self.at, "expires": expires}
        )
        self.record("indicator", indicator_id, {**row, "expires": expires.isoformat()})
        return indicator_id

    def withdraw(self, indicator_id: str, why: str) -> None:
        """Take an indicator back."""
        stands = (INDICATORS.c.indicator_id == indicator_id) & INDICATORS.c.withdrawn.is_(None)
        if self.connection.execute(update(INDICATORS).where(stands).values(withdrawn=self.at)).rowcount:
            self.record("withdraw", indicator_id, {"why": why})

    def cycle(self, cycle_id: str, as_of: datetime, policy: int, counts: dict[str, int], notes: Sequence[str]) -> None:
        """Write that a cycle was applied. counts: of decisions, ended and cases."""
        row = {"cycle_id": cycle_id, "applied": self.at, "as_of": as_of, "policy": policy, **counts}
        self.connection.execute(insert(CYCLES), {**row, "notes": json.dumps(list(notes))})
        self.record("cycle", cycle_id, {"as_of": as_of.isoformat(), "policy": policy, **counts, "notes": list(notes)})

    def _person(self, what: str) -> None:
        if self.who == MACHINE:
            raise InputError(f"only a person may {what}; say who you are")


def _words(name: str, text: str) -> str:
    told = " ".join(text.split())
    if not told:
        raise InputError(f"{name}: empty; the audit needs it")
    if len(told) > LONGEST_TEXT:
        raise InputError(f"{name}: longer than {LONGEST_TEXT:,} characters")
    return told
