"""The figures as tables for a terminal of eighty columns and more."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stillwatch.evaluate.cited import Deleted
from stillwatch.evaluate.figures import Evaluation
from stillwatch.evaluate.timeline import Timeline
from stillwatch.evaluate.wording import headline_rows, share_text, signed_share, timeline_sentence, told
from stillwatch.report.wording import count, one_line, plain_name, plural

NAME = 28
# No name is squeezed below this; figures of a world of sixteen million stand beside it at eighty columns.
LEAST_NAME = 10
# Beyond this a list on a terminal is scrolled past; the page and the JSON have all.
LISTED = 20


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print the figures, campaign by campaign, what was wrongly accused, and the scans again where there were any."""
    console.print(_headline(evaluation))
    for table in (_figures(evaluation), _true(evaluation), _found(evaluation), _wrong(evaluation)):
        if table.row_count:
            console.print(table)
    if evaluation.timeline is not None:
        _print_timeline(evaluation.timeline, console)
    if evaluation.deleted is not None:
        console.print(_deleted(evaluation.deleted))
    for note in evaluation.notes:
        console.print(Text("note: " + one_line(note), style="dim"))


def _headline(e: Evaluation) -> Text:
    a, found, true = e.accounts, len(e.found), len(e.campaigns)
    worlds = one_line(", ".join(e.worlds), 60)
    return Text(
        f"{worlds}: {plural(found, 'campaign')} found, {count(true)} true; of {plural(a.judged, 'account')} "
        f"{count(a.guilty)} are guilty, {count(a.accused)} accused, {count(a.right)} rightly.",
        style="bold",
    )


def _table(title: str, *columns: str) -> Table:
    """A table whose first column is a name and whose others are figures."""
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.padding = (0, 1, 0, 0)
    table.header_style = "dim"
    table.add_column(columns[0], min_width=LEAST_NAME, max_width=NAME, overflow="fold")
    for name in columns[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _add(table: Table, *cells: str) -> None:
    table.add_row(*(Text(cell) for cell in cells))  # so that nobody's names are taken for markup


def _figures(e: Evaluation) -> Table:
    table = _table("Figures", "")
    table.columns[0].max_width = 40
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("", overflow="fold", style="dim")
    for name, value, made_of in headline_rows(e):
        _add(table, name, value, made_of)
    return table


def _true(e: Evaluation) -> Table:
    columns = ("accused", "victims", "exchanges", "best", "Jaccard", "volume")
    table = _table("True campaigns", "campaign", *columns)
    for c in e.campaigns[:LISTED]:
        _add(
            table,
            one_line(c.campaign),
            f"{count(c.accused)}/{count(c.members)}",
            f"{count(c.victims_named)}/{count(c.victims)}",
            f"{count(c.found)}/{count(c.exchanges)}",
            one_line(c.best or "–"),
            share_text(c.jaccard_exchanges),
            signed_share(c.volume_error),
        )
    return _cut(table, len(e.campaigns))


def _found(e: Evaluation) -> Table:
    table = _table("Found campaigns", "campaign", "probable", "accused", "right", "exchanges", "right")
    table.add_column("in truth", overflow="fold")
    for c in e.found[:LISTED]:
        figures = (c.accused, c.right, c.exchanges, c.right_exchanges)
        _add(table, one_line(c.campaign), share_text(c.probability), *map(count, figures), told(c))
    return _cut(table, len(e.found))


def _wrong(e: Evaluation) -> Table:
    table = _table("Wrongly accused, by population", "population", "role", "accused", "of", "share")
    wrong = [p for p in e.populations if p.accused and p.role != "member"]
    for p in wrong[:LISTED]:
        figures = (count(p.accused), count(p.accounts), share_text(p.share_accused))
        _add(table, one_line(plain_name(p.population)), p.role, *figures)
    return _cut(table, len(wrong))


def _cut(table: Table, rows: int) -> Table:
    if rows > LISTED:
        table.add_row(Text(f"and {count(rows - LISTED)} more", style="dim"))
    return table


def _print_timeline(t: Timeline, console: Console) -> None:
    table = _table("As the days pass", "campaign", "begun", "found", "days", "active", "accused", "taken", "share")
    for c in t.campaigns[:LISTED]:
        _add(
            table,
            one_line(c.campaign),
            c.first_exchange[:10],
            c.found_on or "never",
            "–" if c.delay_days is None else f"{c.delay_days:.1f}",
            f"{count(c.accounts_active)}/{count(c.members)}",
            count(c.accounts_accused),
            f"{count(c.exchanges_taken)}/{count(c.exchanges)}",
            share_text(c.share_taken),
        )
    console.print(_cut(table, len(t.campaigns)))
    console.print(timeline_sentence(t))


def _deleted(deleted: Sequence[Deleted]) -> Table:
    columns = ("removed", "probable", "accused", "still", "together", "probable", "verdict")
    table = _table("Without the exchanges that a verdict cites", "campaign", *columns)
    for d in deleted[:LISTED]:
        _add(
            table,
            one_line(d.campaign),
            count(d.removed),
            share_text(d.probability),
            count(d.accused),
            count(d.accused_after),
            count(d.together_after),
            share_text(d.probability_after),
            "falls" if d.falls else "stands",
        )
    return _cut(table, len(deleted))
