"""Hours of the week as a heat map of seven rows and twenty-four columns."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from stillwatch.report.charts.svg import at, drawing, element
from stillwatch.report.wording import count, share

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CELL = 19
# Room for the names of the days, as a share of the width.
LEFT = 0.1


def hours_chart(label: str, hours: Sequence[Sequence[int]], css: str) -> Markup:
    """Counts by weekday (Monday first) and hour, each cell's strength its share of the busiest hour.

    Args:
        label: whose hours they are.
        hours: 7 rows of 24 counts, UTC.
        css: the class of the cells.

    Returns:
        An svg element as wide as its container, or nothing where there is no traffic.
    """
    top = max((n for row in hours for n in row), default=0)
    if not top:
        return Markup("")
    wide = (1 - LEFT) / 24
    parts = [
        element("text", f"{h:02d}", x=at(LEFT + wide * (h + 0.5)), y=11, text_anchor="middle", class_="tick")
        for h in range(0, 24, 3)
    ]
    for d, row in enumerate(hours):
        y = 17 + d * CELL
        parts.append(element("text", DAYS[d], x="0", y=y + 13, class_="tick"))
        for h, n in enumerate(row):
            title = element("title", f"{DAYS[d]} {h:02d}:00 UTC · {count(n)} exchanges")
            x, width = at(LEFT + wide * h), at(wide * 0.94)
            base = element("rect", x=x, y=y, width=width, height=CELL - 2, rx=2, class_="empty")
            cell = element("rect", title, x=x, y=y, width=width, height=CELL - 2, rx=2, class_=css, opacity=n / top)
            parts += [base, cell]
    return drawing(f"{label}, by hour of the week in UTC. {hours_in_words(hours)}", *parts, height=17 + 7 * CELL)


def hours_in_words(hours: Sequence[Sequence[int]]) -> str:
    """What the map shows, in a sentence: the quietest hour of the day beside the busiest, the weekend, idle hours."""
    total = sum(n for row in hours for n in row)
    if not total:
        return "No traffic."
    by_hour = [sum(row[h] for row in hours) for h in range(24)]
    quiet = min(range(24), key=lambda h: (by_hour[h], h))
    busy = max(range(24), key=lambda h: (by_hour[h], -h))
    weekend = sum(n for row in hours[5:] for n in row)
    idle = sum(n == 0 for row in hours for n in row)
    return (
        f"The quietest hour of the day ({quiet:02d}:00) has {share(by_hour[quiet], by_hour[busy])} of the busiest "
        f"({busy:02d}:00); {share(weekend, total)} falls on weekends; {idle} of 168 hours of the week are idle."
    )
