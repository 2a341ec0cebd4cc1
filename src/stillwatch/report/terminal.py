"""The findings and the explanation of one id as tables for a terminal of eighty columns or more."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import groupby
from typing import TypedDict

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from stillwatch.findings import Campaign, Evidence, Findings
from stillwatch.report.wording import (
    FACTORS,
    count,
    expected_loss,
    likelier,
    loss_unit,
    one_line,
    percent,
    plain_name,
    plural,
    signed_bits,
    span,
    visible,
)

# A screen of 24 rows takes five names a campaign beside the rest; the others are on the page and in the tables.
FIRST_MEMBERS = 5
# Beyond ten, a list on a terminal is scrolled past rather than read.
LISTED = 10
# Widths in cells that leave 40 of an 80-column terminal for the sentence.
ID_WIDTH = 22
TITLE_WIDTH = 34
BAR = 8


class Truth(TypedDict):
    """What a simulated world knows of itself: the accounts of each campaign, and every account's population and role.

    Roles are member, victim or innocent. Victims are not among the accounts that a scan ought to accuse.
    """

    campaigns: Mapping[str, Set[str]]
    roles: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of one id: facts as pairs of name and value, and the evidence for and against each claim."""

    id: str
    what: str
    title: str
    facts: list[tuple[str, str]]
    evidence: list[Evidence]
    notes: list[str]


def print_findings(findings: Findings, console: Console, truth: Truth | None = None) -> None:
    """Print headline, campaigns, accounts to look at first and what was cleared; with a truth, how right it all is."""
    console.print(Text("\n".join(visible(s) for s in findings.headline), style="bold"))
    if findings.campaigns:
        console.print(_campaigns(findings))
        console.print(Text(f"loss: probability times {loss_unit(findings)}, the greatest first", style="dim"))
        console.print(_first_members(findings))
    if findings.cleared:
        console.print(_cleared(findings))
    if truth is not None:
        console.print(_against_truth(findings, truth))
        console.print(_overall(findings, truth))
    for note in findings.notes:
        console.print(Text("note: " + visible(note), style="dim"))


def print_explanation(explanation: Explanation, console: Console) -> None:
    """Print what is known of one id: its facts, then the evidence by claim with totals in bits."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", max_width=24)
    facts.add_column(overflow="fold")
    for name, value in explanation.facts:
        facts.add_row(Text(visible(name)), Text(visible(value)))
    head = Text(f"{explanation.what} {one_line(explanation.id)}", style="bold")
    body = Group(Text(visible(explanation.title)), Text(""), facts)
    console.print(Panel(body, title=head, title_align="left", border_style="dim"))
    if not explanation.evidence:
        console.print(Text("No evidence speaks about it.", style="dim"))
    claims = list(dict.fromkeys(e.claim for e in explanation.evidence))
    ordered = sorted(explanation.evidence, key=lambda e: (claims.index(e.claim), -e.bits, e.id))
    for claim, group in groupby(ordered, key=lambda e: e.claim):
        console.print(_claim_table(claim, list(group)))
    for note in explanation.notes:
        console.print(Text("note: " + visible(note), style="dim"))


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="dim",
    )


def _campaigns(findings: Findings) -> Table:
    table = _table("\nCampaigns")
    table.add_column("campaign", max_width=TITLE_WIDTH, overflow="fold")
    table.add_column("probable", justify="right", no_wrap=True)
    table.add_column("accounts", justify="right", no_wrap=True)
    table.add_column("exchanges", justify="right", no_wrap=True)
    table.add_column("loss", justify="right", no_wrap=True)
    table.add_column("when (UTC), what it asked", overflow="fold")
    for c in findings.campaigns[:LISTED]:
        who = count(c.accounts) + (f"\n+ {plural(c.victims, 'victim')}" if c.victims else "")
        targets = ", ".join(one_line(t, 24) for t in c.targets[:3])
        table.add_row(
            Text.assemble((one_line(c.id, TITLE_WIDTH), "bold"), "\n", one_line(c.title, 2 * TITLE_WIDTH)),
            percent(c.probability),
            who,
            count(c.exchanges),
            expected_loss(c),
            Text(f"{span(c.first, c.last)}\n{targets}"),
        )
    if len(findings.campaigns) > LISTED:
        table.add_row(Text(f"and {len(findings.campaigns) - LISTED} more", style="dim"))
    return table


def _first_members(findings: Findings) -> Table:
    table = _table("\nAccounts to look at first")
    table.add_column("campaign", no_wrap=True, max_width=10, overflow="ellipsis")
    table.add_column("account", max_width=ID_WIDTH, overflow="fold")
    table.add_column("probable", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for c in findings.campaigns[:3]:
        for m in c.members[:FIRST_MEMBERS]:
            role = "" if m.role == "member" else "Victim. "
            table.add_row(
                Text(one_line(c.id, 10)),
                Text(one_line(m.account_id, 4 * ID_WIDTH)),
                percent(m.probability),
                Text(role + one_line(m.reason)),
            )
    return table


def _cleared(findings: Findings) -> Table:
    table = _table("\nLooked alike, and not accused")
    table.add_column("group", max_width=TITLE_WIDTH, overflow="fold")
    table.add_column("accounts", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for g in findings.cleared[:LISTED]:
        why = f"{plain_name(g.explanation)}: {one_line(g.reason)}"
        if g.verdict == "undetermined":
            why = f"Open, perhaps {why} What would decide: {one_line(g.would_decide)}"
        table.add_row(Text(one_line(g.title, 2 * TITLE_WIDTH)), count(g.accounts), Text(why))
    if len(findings.cleared) > LISTED:
        table.add_row(Text(f"and {len(findings.cleared) - LISTED} more", style="dim"))
    return table


def _accused(campaign: Campaign) -> set[str]:
    return {m.account_id for m in campaign.members if m.role == "member"}


def _guilty(truth: Truth) -> dict[str, set[str]]:
    victims = {a for a, (_, role) in truth["roles"].items() if role == "victim"}
    return {name: set(accounts) - victims for name, accounts in truth["campaigns"].items()}


def _against_truth(findings: Findings, truth: Truth) -> Table:
    guilty = _guilty(truth)
    table = _table("\nBeside the truth")
    table.add_column("finding", max_width=14, overflow="fold")
    table.add_column("true campaign", max_width=20, overflow="fold")
    for name in ("accused", "right", "wrong", "guilty", "found"):
        table.add_column(name, justify="right", no_wrap=True)
    matched = set()
    everyone: set[str] = set().union(*guilty.values())
    for c in findings.campaigns:
        accused = _accused(c)
        best = max(sorted(guilty), key=lambda name: len(guilty[name] & accused), default="")
        right = accused & guilty.get(best, set())
        wrong = count(len(accused - everyone))
        if not right:
            table.add_row(Text(one_line(c.id)), "none", count(len(accused)), "0", wrong, "", "")
            continue
        matched.add(best)
        mixed = len(accused & everyone) - len(right)
        name = one_line(best) + (f" and {count(mixed)} of others" if mixed else "")
        whole = len(guilty[best])
        figures = (count(len(accused)), count(len(right)), wrong, count(whole), _ratio(len(right), whole))
        table.add_row(Text(one_line(c.id)), Text(name), *figures)
    for name in sorted(set(guilty) - matched):
        table.add_row("not found", Text(one_line(name)), "0", "0", "0", count(len(guilty[name])), "0.0%")
    return table


def _overall(findings: Findings, truth: Truth) -> Text:
    accused = {a for c in findings.campaigns for a in _accused(c)}
    guilty: set[str] = set().union(*_guilty(truth).values())
    right = len(accused & guilty)
    lines = [
        f"Of {plural(len(accused), 'accused account')} {count(right)} are guilty: "
        f"precision {_ratio(right, len(accused))}.",
        f"Of {plural(len(guilty), 'guilty account')} {count(right)} are accused: recall {_ratio(right, len(guilty))}.",
    ]
    by_population: dict[str, int] = {}
    for account in accused - guilty:
        population, role = truth["roles"].get(account, ("unknown", "innocent"))
        name = f"{population} {role}"
        by_population[name] = by_population.get(name, 0) + 1
    if by_population:
        named = ", ".join(f"{count(n)} {one_line(p)}" for p, n in sorted(by_population.items()))
        lines.append(f"Wrongly accused: {named}.")
    victims = {a for a, (_, role) in truth["roles"].items() if role == "victim"}
    if victims:
        seen = {m.account_id for c in findings.campaigns for m in c.members if m.role == "victim"}
        lines.append(f"Of {plural(len(victims), 'victim')} of theft {count(len(victims & seen))} are named as victims.")
    return Text("\n".join(lines))


def _ratio(part: int, whole: int) -> str:
    # Rounded down, so that 100.0% is said only of all.
    return f"{int(1000 * part / whole) / 10:.1f}%" if whole else "n/a"


def _claim_table(claim: str, evidence: list[Evidence]) -> Table:
    total = sum(e.bits for e in evidence)
    scale = max(abs(e.bits) for e in evidence) or 1.0
    table = _table(f"\nClaim: {FACTORS.get(claim, claim)}")
    table.add_column("bits", justify="right", no_wrap=True)
    table.add_column("", width=2 * BAR + 1, no_wrap=True)
    table.add_column("observation", overflow="fold")
    for e in evidence:
        says = Text(visible(e.statement))
        tags = " · ".join(part for part in (plain_name(e.kind), plain_name(e.view), e.technique or "") if part)
        says.append(f"\n{tags}", style="cyan")
        if e.benign_causes:
            says.append("\ncould also be: " + "; ".join(visible(b) for b in e.benign_causes), style="dim")
        table.add_row(signed_bits(e.bits), _bar(e.bits, scale), says)
    table.add_row(Text(signed_bits(total), style="bold"), "", Text(f"together: {likelier(total)}", style="bold"))
    return table


def _bar(bits: float, scale: float) -> Text:
    length = round(BAR * abs(bits) / scale)
    if bits < 0:
        return Text(" " * (BAR - length) + "█" * length + "│" + " " * BAR, style="dim")
    return Text(" " * BAR + "│" + "█" * length + " " * (BAR - length))
