"""Cases, verdicts, appeals and replays as text for a terminal of a hundred columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stillwatch.respond.decision import Measure
from stillwatch.respond.harm import Harm
from stillwatch.respond.replay import Replay
from stillwatch.respond.state import Appeal, Case, Cited, Kept

ABOVE = [m.text for m in list(Measure)[1:]]
# Beyond this a list on a terminal is scrolled past; the JSON has all.
LISTED = 40


def _table(title: str, *columns: str) -> Table:
    table = Table(title=f"\n{title}" if title else None, title_justify="left", title_style="bold", box=None)
    table.padding, table.pad_edge, table.header_style = (0, 2, 0, 0), False, "dim"
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _add(table: Table, *cells: object) -> None:
    table.add_row(*(Text(" ".join(str(cell).split())) for cell in cells))  # nobody's words are taken for markup


def print_cases(cases: Sequence[Case], console: Console) -> None:
    """Print cases, a row each."""
    table = _table("", "case", "kind", "about", "opened", "question or answer")
    for case in cases:
        answer = f"{case.outcome} by {case.closed_by}: {case.why}" if case.closed else case.text
        _add(table, case.case_id, case.kind, case.subject, f"{case.opened:%Y-%m-%d %H:%M}", answer)
    console.print(table if cases else Text("no case"))


def print_case(
    case: Case, decisions: Sequence[Kept], appealed: str | None, cited: Sequence[Cited], console: Console
) -> None:
    """Print one case with what an analyst needs to answer it. cited: what the latest decision was made from."""
    console.print(Text(f"{case.case_id}: {case.kind}, {case.subject_kind} {case.subject}", style="bold"))
    console.print(Text(case.text))
    if appealed is not None:
        console.print(Text(f"The customer says: {appealed}"))
    if case.closed is not None:
        console.print(Text(f"Closed on {case.closed:%Y-%m-%d %H:%M} by {case.closed_by}: {case.outcome} ({case.why})"))
    table = _table("Decisions", "decision", "measure", "from", "until", "ended")
    for kept in decisions:
        one = kept.decision
        _add(
            table,
            one.decision_id,
            f"{one.measure.text} of key {one.subject}" if one.subject_kind == "key" else one.measure.text,
            f"{one.created:%Y-%m-%d %H:%M}{' (dry run)' if one.dry_run else ''}",
            f"{one.expires:%Y-%m-%d %H:%M}",
            f"{kept.ended:%Y-%m-%d %H:%M}: {kept.ended_why}" if kept.ended else "",
        )
    if table.row_count:
        console.print(table)
    said = _table("What the evidence said of the first of these", "bits", "statement")
    for evidence in cited:
        _add(said, f"{evidence.bits:+.1f}", evidence.statement)
    if said.row_count:
        console.print(said)


def print_verdicts(verdicts: pa.Table, console: Console) -> None:
    """Print verdicts, a row each."""
    table = _table("", "verdict", "time", "about", "says", "by", "why")
    for row in verdicts.to_pylist():
        said = row["verdict"] if row["rival"] is None else f"{row['verdict']} by {row['rival']}"
        when = f"{row['time']:%Y-%m-%d %H:%M}"
        _add(table, row["verdict_id"], when, row["subject"], said, row["who"], row["why"])
    console.print(table if verdicts.num_rows else Text("no verdict"))


def print_appeals(appeals: Sequence[Appeal], console: Console) -> None:
    """Print appeals, a row each."""
    table = _table("", "appeal", "decision", "case", "made", "meanwhile", "outcome")
    for one in appeals:
        meanwhile = "as it was" if one.holds is None else one.holds.text
        made = f"{one.made:%Y-%m-%d %H:%M}"
        _add(table, one.appeal_id, one.decision_id, one.case_id, made, meanwhile, one.outcome or "open")
    console.print(table if appeals else Text("no appeal"))


def print_replay(replayed: Replay, console: Console) -> None:
    """Print who would have been touched, when, with which measure, and at what harm."""
    harm = replayed.harm
    console.print(
        Text(
            f"{len(replayed.accounts):,} of {replayed.accounts_seen:,} accounts would have been touched in "
            f"{len(replayed.cycles):,} cycles, {replayed.every} days apart.",
            style="bold",
        )
    )
    console.print(_cycles(replayed))
    if replayed.campaigns:
        console.print(_courses(replayed))
    console.print(_touched(replayed))
    for line in (*_harm(harm), *_questions(replayed)):
        console.print(Text(line))


def _cycles(replayed: Replay) -> Table:
    """Cycles that changed something; the first of those where something waits."""
    table = _table("Cycles in which something changed", "end of", "found", *ABOVE, "keys", "addresses", "waits")
    before: tuple[object, ...] = ()
    for cycle in replayed.cycles:
        now = (cycle.under, cycle.keys, cycle.addresses, cycle.waits)
        if now != before and (before or any(cycle.under.values()) or cycle.keys or cycle.waits):
            counts = [f"{cycle.under[m]:,}" for m in ABOVE]
            _add(
                table,
                cycle.day,
                f"{cycle.suspects:,} in {cycle.campaigns:,}",
                *counts,
                cycle.keys,
                cycle.addresses,
                " ".join(cycle.waits),
            )
        before = now
    return table


def _courses(replayed: Replay) -> Table:
    table = _table(
        "Campaigns, by the labels", "campaign", "days", "members", "touched", "acted on", "exchanges by then", "refused"
    )
    for one in replayed.campaigns:
        acted = "never" if one.acted_on is None else one.acted_on[:10]
        share = f"{one.share_taken:.1%} of {one.exchanges:,}"
        _add(table, one.campaign, f"{one.days:.0f}", one.members, one.members_touched, acted, share, f"{one.refused:,}")
    return table


def _touched(replayed: Replay) -> Table:
    title = "Accounts touched"
    shown = replayed.accounts
    if replayed.campaigns:
        title, shown = "Accounts touched that are not guilty by the labels", [a for a in shown if a.role != "member"]
    table = _table(title, "account", "as", "first", "hardest", "p", "sent after", "refused", "without reasoning")
    for one in shown[:LISTED]:
        what = (
            f"{one.hardest}{', key stopped' if one.key_stopped else ''}" if one.hardest != "observe" else "key stopped"
        )
        who = one.campaign if one.role is None else f"{one.role} ({one.population})"
        counts = (f"{one.after:,}", f"{one.refused:,}", f"{one.without_reasoning:,}")
        _add(table, one.account, who, one.first[:10], what, f"{one.probability:.2f}", *counts)
    if len(shown) > LISTED:
        _add(table, f"and {len(shown) - LISTED:,} more", "", "", "", "", "", "", "")
    return table


def _harm(harm: Harm) -> list[str]:
    hardest = ", ".join(f"{n:,} {m}" for m, n in harm.touched.items() if n) or "none"
    lines = [
        "",
        f"Accounts by their hardest measure: {hardest}; {harm.keys_stopped:,} with a stopped key. Measures on "
        f"{harm.addresses:,} addresses, which hold for callers that name no account, and so for none of these.",
        f"By the cost table and the probabilities: {harm.expected_honest:,.0f} of harm to the honest expected, against "
        f"{harm.expected_stopped:,.0f} of collecting stopped.",
    ]
    if harm.innocent is not None:
        wrong = ", ".join(f"{n:,} {m}" for m, n in harm.innocent.items() if n) or "none"
        lines.append(
            f"By the labels: {harm.honest:,.0f} of harm, {harm.stopped:,.0f} stopped. Innocent accounts above observe: "
            f"{wrong}; victims whose account was restricted: {harm.victims_restricted}."
        )
    return lines


def _questions(replayed: Replay) -> list[str]:
    asked = Counter(replayed.cases)
    said = ", ".join(f"{n:,} {kind.replace('_', ' ')}" for kind, n in sorted(asked.items())) or "none"
    return [f"Questions that wait for a person at the end: {said}."]
