"""The plots of the page, as SVG: precision against recall, reliability, and campaigns as the days pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from markupsafe import Markup

from stillwatch.evaluate.calibration import Bin
from stillwatch.evaluate.timeline import Course, Timeline
from stillwatch.report.charts.svg import at, drawing, element
from stillwatch.report.wording import count, one_line, share

# A plot of this height is about square in the page's two columns.
HEIGHT = 300
TOP, BOTTOM = 10, 40
LEFT, RIGHT = 0.1, 0.02
ROW = 34
# Room for a campaign's name beside its bar: 22 characters of some 7 px in 1,000.
NAMES = 0.17


def precision_recall(curve: Sequence[tuple[float, float]], what: str) -> Markup:
    """Precision (up) against recall (right), from the most probable downwards; nothing without a curve."""
    if not curve:
        return Markup("")
    parts = [*_frame("recall", "precision")]
    recall, precision = 0.0, curve[0][1]
    for to_recall, to_precision in curve:
        parts.append(_line((recall, precision), (to_recall, precision), "curve"))
        parts.append(_line((to_recall, precision), (to_recall, to_precision), "curve"))
        recall, precision = to_recall, to_precision
    said = f"Precision against recall of {what}; it ends at recall {recall:.3f} with precision {precision:.3f}."
    return drawing(said, *parts, height=HEIGHT)


def reliability(bins: Sequence[Bin]) -> Markup:
    """Share of the guilty (up) against mean probability (right), one dot a bin, larger for more accounts."""
    filled = [b for b in bins if b.accounts and b.mean_probability is not None and b.share_guilty is not None]
    if not filled:
        return Markup("")
    parts = [*_frame("mean probability", "share guilty"), _line((0, 0), (1, 1), "ideal")]
    most = max(b.accounts for b in filled)
    for b in filled:
        p, s = b.mean_probability or 0.0, b.share_guilty or 0.0
        title = element(
            "title", f"{b.low:g} to {b.high:g}: {count(b.accounts)} accounts, probability {p:.3f}, guilty {s:.3f}"
        )
        parts.append(_line((p, p), (p, s), "gap"))
        parts.append(element("circle", title, cx=_x(p), cy=_y(s), r=4 + 6 * (b.accounts / most) ** 0.5, class_="dot"))
    said = "; ".join(f"at {b.mean_probability:.2f}, {b.share_guilty:.2f} guilty" for b in filled)
    return drawing(f"Reliability: {said}", *parts, height=HEIGHT)


def _frame(right: str, up: str) -> list[Markup]:
    parts = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        kind = "grid" if value else "axis"
        parts.append(_line((0, value), (1, value), kind))
        parts.append(_line((value, 0), (value, 1), kind))
        parts.append(
            element("text", f"{value:g}", x=at(LEFT - 0.015), y=_y(value) + 4, text_anchor="end", class_="tick")
        )
        parts.append(
            element("text", f"{value:g}", x=_x(value), y=HEIGHT - BOTTOM + 16, text_anchor="middle", class_="tick")
        )
    parts.append(element("text", right, x=_x(1.0), y=HEIGHT - 6, text_anchor="end", class_="label"))
    parts.append(element("text", up, x=_x(0.02), y=TOP + 14, class_="label"))
    return parts


def _x(value: float) -> str:
    return at(LEFT + (1 - LEFT - RIGHT) * value)


def _y(value: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value)


def _line(start: tuple[float, float], end: tuple[float, float], css: str) -> Markup:
    return element("line", x1=_x(start[0]), y1=_y(start[1]), x2=_x(end[0]), y2=_y(end[1]), class_=css)


def campaigns_by_day(timeline: Timeline) -> Markup:
    """One row a campaign: the share of its exchanges taken day by day, and the day on which it was found."""
    if not timeline.campaigns:
        return Markup("")
    days = [date.fromisoformat(d.day) for d in timeline.days]
    first = days[0] - timedelta(days=timeline.every - 1)  # the first scan is of the first so many days
    whole = (days[-1] - first).days + 1

    def x(day: date) -> float:
        return NAMES + (1 - NAMES - RIGHT) * ((day - first).days + 1) / whole

    parts = []
    for row, course in enumerate(timeline.campaigns):
        parts += _row(course, timeline, row * ROW + 4, x)
    bottom = ROW * len(timeline.campaigns) + 4
    for day in days[:: max(1, -(-len(days) // 8))]:
        parts.append(
            element("text", f"{day.day} {day:%b}", x=at(x(day)), y=bottom + 14, text_anchor="end", class_="tick")
        )
    said = "; ".join(
        f"{c.campaign}: " + (f"found {c.found_on} with {c.share_taken:.3f} taken" if c.found_on else "never found")
        for c in timeline.campaigns
    )
    return drawing(f"Campaigns as the days pass. {said}", *parts, height=bottom + 24)


def _row(course: Course, timeline: Timeline, top: float, x: Callable[[date], float]) -> list[Markup]:
    parts = [element("text", one_line(course.campaign, 22), x="0", y=top + 18, class_="label")]
    left = NAMES
    for day in timeline.days:
        taken = day.taken[course.campaign]
        right = x(date.fromisoformat(day.day))
        after = course.found_on is not None and day.day > course.found_on
        title = element("title", f"{day.day}: {count(taken)} exchanges taken, {share(taken, course.exchanges)} of all")
        height = 24 * taken / max(1, course.exchanges)
        base = element("rect", title, x=at(left), y=top, width=at(right - left), height=24, class_="empty")
        bar = element(
            "rect",
            x=at(left),
            y=top + 24 - height,
            width=at(right - left),
            height=height,
            class_="other" if after else "hot",
        )
        parts.append(element("g", base, bar))
        if day.day == course.found_on:
            parts.append(element("line", x1=at(right), x2=at(right), y1=top - 2, y2=top + 26, class_="mark ban"))
        left = right
    return parts
