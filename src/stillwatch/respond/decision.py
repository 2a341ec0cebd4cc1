"""What is decided about one account, key or address: a measure, why, until when, and how to appeal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Literal, get_args

SubjectKind = Literal["account", "key", "address"]
SUBJECT_KINDS: tuple[SubjectKind, ...] = get_args(SubjectKind)


class Measure(IntEnum):
    """The ladder, mildest first; a later one is the harder. As text it is `measure.text`, such as `step_up`."""

    OBSERVE = 0
    WITHHOLD_REASONING = 1
    THROTTLE = 2
    STEP_UP = 3
    BLOCK = 4

    @property
    def text(self) -> str:
        """As it is written in files, tables and answers."""
        return self.name.lower()

    @classmethod
    def of(cls, text: str) -> Measure:
        """The measure of this text; ValueError where there is none."""
        try:
            return cls[text.upper()]
        except KeyError:
            raise ValueError(f"{text!r} is no measure; they are {', '.join(m.text for m in cls)}") from None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a throttled subject may send and receive: requests, and tokens of input and output, a minute."""

    requests_per_minute: int
    tokens_per_minute: int


@dataclass(frozen=True, slots=True)
class Decision:
    """One measure on one subject.

    subject_kind, subject: an account's id; a key's id, with the account that holds it in `account`, since key ids need
    not be unique over accounts; or an address in canonical text, with no account. limits: of a throttle, else None.
    verification: what a step-up asks for before more (phone, identity or contract), else None. reason: fit to show to
    the customer; names no other account and no passage. evidence: ids in the findings. probability: that the subject
    takes part. created, expires: UTC; it holds from the one until just before the other. appeal: the address at
    which the customer appeals, or its path under the service's own. dry_run: nothing is to be done, only shown.
    """

    decision_id: str
    subject_kind: SubjectKind
    subject: str
    measure: Measure
    reason: str
    campaign_id: str
    probability: float
    created: datetime
    expires: datetime
    appeal: str
    evidence: tuple[str, ...] = ()
    account: str | None = None
    limits: Limits | None = None
    verification: str | None = None
    dry_run: bool = True

    def holds(self, at: datetime) -> bool:
        """Whether it is in force at a time."""
        return self.created <= at < self.expires

    def as_json(self) -> dict[str, Any]:
        """For programs: text, numbers, lists and nulls only; times in ISO 8601, UTC."""
        return {
            "decision_id": self.decision_id,
            "subject_kind": self.subject_kind,
            "subject": self.subject,
            "account": self.account,
            "measure": self.measure.text,
            "requests_per_minute": self.limits.requests_per_minute if self.limits else None,
            "tokens_per_minute": self.limits.tokens_per_minute if self.limits else None,
            "verification": self.verification,
            "reason": self.reason,
            "campaign_id": self.campaign_id,
            "probability": self.probability,
            "evidence": list(self.evidence),
            "created": self.created.astimezone(UTC).isoformat(),
            "expires": self.expires.astimezone(UTC).isoformat(),
            "appeal": self.appeal,
            "dry_run": self.dry_run,
        }


def decision_of(row: Any) -> Decision:
    """A decision from its row in the state."""
    throttled = row.requests_per_minute is not None
    return Decision(
        decision_id=row.decision_id,
        subject_kind=row.subject_kind,
        subject=row.subject,
        measure=Measure.of(row.measure),
        reason=row.reason,
        campaign_id=row.campaign_id,
        probability=row.probability,
        created=row.created,
        expires=row.expires,
        appeal=row.appeal,
        evidence=tuple(json.loads(row.evidence)),
        account=row.account,
        limits=Limits(row.requests_per_minute, row.tokens_per_minute) if throttled else None,
        verification=row.verification,
        dry_run=row.dry_run,
    )
