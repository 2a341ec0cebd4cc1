"""The tables of the state against the audit: whoever changes a row there has not changed what was recorded of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from stillwatch.respond.audit import Entry, Fault, canonical
from stillwatch.respond.changes import appeal_told
from stillwatch.respond.decision import decision_of
from stillwatch.respond.schema import APPEALS, CASES, CITED, DECISIONS, INDICATORS, POLICIES, VERDICTS

Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Kept:
    """How rows of a table are told in the audit. begun, over: the actions. row: the entry that a row must have had;
    end: that of its end, None where it has not ended."""

    table: Table
    begun: str
    row: Callable[[Row[Any]], Told]
    over: str | None = None
    end: Callable[[Row[Any]], Told | None] | None = None


def _picked(*names: str) -> Callable[[Row[Any]], Told]:
    return lambda row: {name: row._mapping[name] for name in names}


def _verdict(row: Row[Any]) -> Told:
    told = _picked("subject_kind", "subject", "verdict", "rival", "why", "probability")(row)
    return {**told, "accounts": json.loads(row.accounts)}


def _indicator(row: Row[Any]) -> Told:
    return {**_picked("kind", "value", "campaign_id", "tlp")(row), "expires": row.expires.isoformat()}


KEPT = (
    _Kept(
        DECISIONS,
        "decision",
        lambda row: decision_of(row).as_json(),
        "end",
        lambda row: None if row.ended is None else {"why": row.ended_why},
    ),
    _Kept(CITED, "cited", _picked("evidence_id", "statement", "bits")),
    _Kept(
        CASES,
        "case",
        _picked("kind", "subject_kind", "subject", "campaign_id", "decision_id", "text"),
        "close",
        lambda row: None if row.closed is None else {"outcome": row.outcome, "why": row.why},
    ),
    _Kept(APPEALS, "appeal", lambda row: appeal_told(row._asdict())),
    _Kept(VERDICTS, "verdict", _verdict),
    _Kept(POLICIES, "policy", _picked("text", "why")),
    _Kept(INDICATORS, "indicator", _indicator),
)


def compared(connection: Connection, checked: Iterable[Entry | Fault]) -> tuple[int, Fault | None]:
    """How many entries are whole, and the first fault: of the chain, else of a row that is not what its entry says."""
    told: dict[tuple[str, str], tuple[int, str]] = {}
    entries = 0
    for entry in checked:
        if isinstance(entry, Fault):
            return entries, entry
        entries += 1
        told[entry.action, entry.subject] = entry.no, entry.body
    faults = [fault for kept in KEPT for fault in _faults(connection, kept, told)]
    return entries, min(faults, key=lambda f: (f.no, f.what), default=None)


def _faults(connection: Connection, kept: _Kept, told: dict[tuple[str, str], tuple[int, str]]) -> Iterator[Fault]:
    missing = {subject: no for (action, subject), (no, _) in told.items() if action == kept.begun}
    what = kept.table.name.removesuffix("s")
    for row in connection.execute(select(kept.table)):
        subject = str(row[0])
        missing.pop(subject, None)
        no, body = told.get((kept.begun, subject), (0, ""))
        if body != canonical(kept.row(row)):
            yield Fault(no, f"{what} {subject} is not what the entry says of it" if no else _unknown(what, subject))
        if kept.over is None or kept.end is None:
            continue
        end = kept.end(row)
        no, body = told.get((kept.over, subject), (0, ""))
        if body != ("" if end is None else canonical(end)):
            yield Fault(no, f"{what} {subject} did not end as the entry says" if no else _unended(what, subject))
    for subject, no in missing.items():
        yield Fault(no, f"{what} {subject} is missing")


def _unknown(what: str, subject: str) -> str:
    return f"{what} {subject} is there, and no entry tells of it"


def _unended(what: str, subject: str) -> str:
    return f"{what} {subject} was ended, and no entry tells of it"
