"""A hunt as tables for a terminal of eighty columns or more, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from stillwatch.errors import EnvironmentFailure
from stillwatch.hunt.run import Hunt, Near
from stillwatch.report.wording import count, one_line, percent, plain_name, plural, signed_bits

# More than this is scrolled past; the JSON has them all.
LISTED = 15
REASONS = 3
ID_WIDTH = 18


def print_hunt(found: Hunt, console: Console) -> None:
    """Print what was sought, who stands near it and why, who comes next, and how far to trust it."""
    title = Text(f"hunt from {one_line(found.seed)}", style="bold")
    console.print(Panel(Text("\n".join(_head(found))), title=title, title_align="left", border_style="dim"))
    console.print(_table("Near", found.near[:LISTED], with_round=True))
    if len(found.near) > LISTED:
        console.print(Text(f"and {count(len(found.near) - LISTED)} more: --json FILE has them all", style="dim"))
    if found.next:
        console.print(_table("Next, and not likely", found.next, with_round=False))
    for note in notes(found):
        console.print(Text("note: " + note, style="dim"))


def _head(found: Hunt) -> list[str]:
    added = len(found.near) - found.begun
    lines = [f"{plain_name(found.what)}, {plural(found.begun, 'account')} of {count(found.accounts)}"]
    if found.known:
        lines[0] = (
            f"{plain_name(found.what)}, held by {count(found.begun)} of {count(found.known)} accounts that have one"
        )
    lines.append(f"{plural(added, 'account')} found near it in {plural(found.rounds, 'round')}; {found.stopped}")
    lines.append(f"needed to be likelier than not: {found.prior_bits:.1f} bits, from two views")
    return lines


def notes(found: Hunt) -> list[str]:
    """What limits the hunt, in sentences."""
    added = [n for n in found.near if n.round]
    said = []
    if not added:
        most = max((n.bits for n in found.next), default=0.0)
        said.append(
            f"Nobody is likelier than not under one hand with it: {found.prior_bits:.1f} bits are needed, the nearest "
            f"account has {most:.1f}."
        )
    weak = [n for n in added if {"cohort_event"} <= set(n.explained_by)]
    if weak:
        said.append(
            f"Of {count(len(added))} found, {count(len(weak))} are joined only by what a class, a workshop or a launch "
            "would explain as well."
        )
    said.append("A hunt says who stands near, from stated priors; that anybody takes part in a campaign is for a scan.")
    return said


def _table(title: str, rows: Sequence[Near], *, with_round: bool) -> Table:
    table = Table(
        title=f"\n{title}",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="dim",
    )
    if with_round:
        table.add_column("round", justify="right", no_wrap=True)
    table.add_column("account", max_width=ID_WIDTH, overflow="fold")
    table.add_column("near", justify="right", no_wrap=True)
    table.add_column("bits", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for near in rows:
        cells: list[str | Text] = [Text(one_line(near.account_id)), percent(near.probability), f"{near.bits:.1f}"]
        table.add_row(*([str(near.round)] if with_round else []), *cells, _why(near))
    return table


def _why(near: Near) -> Text:
    text = Text()
    # Kinds of one view mostly see the same thing: the most telling speaks for it.
    best = list({why.view: why for why in reversed(near.why)}.values())[::-1]
    for why in best[:REASONS]:
        text.append(f"{signed_bits(why.bits)} {plain_name(why.kind)}", "bold")
        text.append(f" ({plain_name(why.view)}): {why.statement}\n")
    if len(best) > REASONS:
        text.append(f"and {plural(len(best) - REASONS, 'more view')}\n")
    if not near.why:
        text.append("nothing joins it to the others\n")
    said = f"{near.verdict} of {near.campaign_id}" if near.campaign_id else near.verdict
    with_whom = f"as {one_line(near.why[0].through, ID_WIDTH)}; " if near.why else ""
    text.append(f"{with_whom}scan: {said}, {percent(near.scan_probability)}", "dim")
    return text


def write_json(found: Hunt, path: Path) -> None:
    """Write all of the hunt, for programs."""
    try:
        path.write_text(json.dumps(asdict(found), ensure_ascii=False, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise EnvironmentFailure(f"{path}: cannot be written: {error.strerror}") from error
