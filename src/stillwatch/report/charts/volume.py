"""Exchanges a day, as stacked bars under the dates of releases and bans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from markupsafe import Markup

from stillwatch.findings import DayCount, Mark
from stillwatch.report.charts.svg import at, drawing, element
from stillwatch.report.wording import count, one_line, share, tick_count

PLOT = 170
AXIS = 24
LANE = 17
# Room for the numbers of the scale: "12.5M" is some 36 px wide, and the page is laid out from 620 px upwards.
LEFT = 0.06
# Three lanes of labels stand legibly above a chart; a label that finds no room in them is a line with a tooltip.
LANES = 3
# A character of the labels as a share of the width: 6.4 of some 720 px.
CHARACTER = 0.009
# Past 120 days a bar is thinner than 6 px at 720 px wide: then a bar is a week.
DAYS_AS_BARS = 120
# Over fewer than three days a chart by day has no course to show: then each day is one bar lying down.
FEW_DAYS = 2


@dataclass(frozen=True, slots=True)
class Series:
    """One layer of the stack: a name, a class of the style sheet, and its counts by day."""

    name: str
    css: str
    days: Sequence[DayCount]


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things stand: slots of `step` days from `first`, the tallest stack, and the room above the bars in px."""

    first: date
    step: int
    slots: int
    top: int
    head: int

    def x(self, slots: float) -> float:
        return LEFT + (1 - LEFT) * slots / self.slots

    def slot(self, day: str) -> int:
        return (date.fromisoformat(day) - self.first).days // self.step


def volume_chart(label: str, layers: Sequence[Series], marks: Sequence[Mark] = ()) -> Markup:
    """Stacked bars over all days from the first to the last, the first layer at the bottom.

    Args:
        label: what the picture shows, for who cannot see it.
        layers: the stack; days that a layer does not name are zero.
        marks: releases and bans within those days; others are left out.

    Returns:
        An svg element as wide as its container, or nothing where no layer has a day.
    """
    dates = sorted({date.fromisoformat(d.day) for layer in layers for d in layer.days})
    if not dates:
        return Markup("")
    if (dates[-1] - dates[0]).days < FEW_DAYS:
        return _lying_bars(label, layers)
    first, step, slots = _slots(dates[0], dates[-1])
    frame = _Frame(first, step, slots, 1, 0)
    stacks = [[0] * slots for _ in layers]
    for stack, layer in zip(stacks, layers, strict=True):
        for d in layer.days:
            stack[frame.slot(d.day)] += d.exchanges
    shown, lanes = _place_marks(marks, frame)
    top = max(sum(column) for column in zip(*stacks, strict=True)) or 1
    frame = _Frame(first, step, slots, top, 8 + LANE * lanes)
    parts = [_grid(frame), *_bars(layers, stacks, frame), *_day_axis(frame), *(_mark(m, frame.head) for m in shown)]
    every = "week" if step == 7 else "day"
    return drawing(f"{label}. At most {count(top)} exchanges a {every}.", *parts, height=frame.head + PLOT + AXIS)


def _slots(first: date, last: date) -> tuple[date, int, int]:
    days = (last - first).days + 1
    if days > DAYS_AS_BARS:
        monday = first - timedelta(days=first.weekday())
        return monday, 7, (last - monday).days // 7 + 1
    return first, 1, days


def _bars(layers: Sequence[Series], stacks: list[list[int]], frame: _Frame) -> list[Markup]:
    bars = []
    for slot in range(frame.slots):
        base = 0.0
        said = []
        rects = []
        left, width = at(frame.x(slot + 0.1)), at(0.8 * (1 - LEFT) / frame.slots)
        for layer, stack in zip(layers, stacks, strict=True):
            height = PLOT * stack[slot] / frame.top
            if stack[slot]:
                said.append(f"{one_line(layer.name)}: {count(stack[slot])}")
                y = frame.head + PLOT - base - height
                rects.append(element("rect", x=left, y=y, width=width, height=height, class_=layer.css))
            base += height
        if rects:
            when = frame.first + timedelta(days=slot * frame.step)
            week = "week of " if frame.step == 7 else ""
            bars.append(element("g", element("title", f"{week}{when.isoformat()} · " + " · ".join(said)), *rects))
    return bars


def _lying_bars(label: str, layers: Sequence[Series]) -> Markup:
    by_day: dict[str, list[int]] = {}
    for i, layer in enumerate(layers):
        for d in layer.days:
            by_day.setdefault(d.day, [0] * len(layers))[i] += d.exchanges
    parts = []
    said = []
    left = 0.13
    top = max(sum(counts) for counts in by_day.values()) or 1
    for row, (day, counts) in enumerate(sorted(by_day.items())):
        parts.append(element("text", day, x="0", y=row * 34 + 18, class_="tick"))
        x = left
        for layer, n in zip(layers, counts, strict=True):
            if n:
                title = element("title", f"{one_line(layer.name)}: {count(n)}, {share(n, sum(counts))}")
                width = (1 - left) * n / top
                parts.append(
                    element("rect", title, x=at(x), y=row * 34 + 2, width=at(width), height=24, class_=layer.css)
                )
                x += width
        said.append(f"{day}: {count(sum(counts))}")
    return drawing(f"{label}. {'; '.join(said)}", *parts, height=34 * len(by_day) + 2)


def _grid(frame: _Frame) -> Markup:
    step = _round_step(frame.top)
    lines = []
    for value in range(0, frame.top + 1, step):
        y = frame.head + PLOT * (1 - value / frame.top)
        kind = "grid" if value else "axis"
        lines.append(element("line", x1=at(LEFT), x2="100%", y1=y, y2=y, class_=kind))
        lines.append(element("text", tick_count(value), x=at(LEFT - 0.01), y=y + 4, text_anchor="end", class_="tick"))
    return element("g", *lines)


def _round_step(top: int) -> int:
    # The least of 1, 2, 5 times a power of ten that gives at most three lines above zero.
    size = 1
    while True:
        for factor in (1, 2, 5):
            if top / (factor * size) < 4:
                return factor * size
        size *= 10


def _day_axis(frame: _Frame) -> list[Markup]:
    days = frame.step * frame.slots
    every = next(n for n in (1, 2, 7, 14, 28, 56, 112, 224, 448, 100_000) if days / n <= 8)
    ticks = []
    for i in range(0, days, every):
        when = frame.first + timedelta(days=i)
        said = f"{when.day} {when:%b}" + (f" {when.year}" if i == 0 else "")
        ticks.append(
            element("text", said, x=at(frame.x(i / frame.step + 0.1)), y=frame.head + PLOT + 17, class_="tick")
        )
    return ticks


@dataclass(frozen=True, slots=True)
class _Placed:
    x: float
    lane: int | None
    kind: str
    text: str
    title: str
    before: bool


def _place_marks(marks: Sequence[Mark], frame: _Frame) -> tuple[list[_Placed], int]:
    placed: list[_Placed] = []
    taken: list[list[tuple[float, float]]] = [[] for _ in range(LANES)]
    for x, kind, text, title in _joined(marks, frame):
        width = CHARACTER * (len(text) + 2)
        before = x + width > 1
        reach = (x - width, x + 0.004) if before else (x - 0.004, x + width)
        lane = next((n for n in range(LANES) if all(reach[1] < a or reach[0] > b for a, b in taken[n])), None)
        if lane is not None:
            taken[lane].append(reach)
        placed.append(_Placed(x, lane, kind, text, title, before))
    return placed, 1 + max((p.lane for p in placed if p.lane is not None), default=-1)


def _joined(marks: Sequence[Mark], frame: _Frame) -> list[tuple[float, str, str, str]]:
    # Releases first, so that they get the labels; bans of one day are one mark.
    start = datetime(frame.first.year, frame.first.month, frame.first.day, tzinfo=UTC)
    ordered = sorted(marks, key=lambda m: (m.kind != "release", m.time, m.label))
    joined = []
    for (kind, day), group in groupby(ordered, key=lambda m: (m.kind, m.time.date())):
        same = list(group)
        slots = (same[0].time - start) / timedelta(days=frame.step)
        if not 0 <= slots <= frame.slots:
            continue
        names = ", ".join(one_line(m.label, 24) for m in same[:3]) + (" …" if len(same) > 3 else "")
        text = f"released: {names}" if kind == "release" else f"{count(len(same))} banned"
        joined.append((frame.x(slots), kind, text, f"{day.isoformat()}: {kind} {names}"))
    return joined


def _mark(mark: _Placed, head: int) -> Markup:
    x = at(mark.x)
    y = head - 4 if mark.lane is None else 4 + LANE * mark.lane
    line = element("line", x1=x, x2=x, y1=y, y2=head + PLOT, class_="mark " + mark.kind)
    parts = [element("title", mark.title), line]
    if mark.lane is not None:
        anchor, dx = ("end", -5) if mark.before else ("start", 5)
        parts.append(element("text", mark.text, x=x, y=y + 9, dx=dx, text_anchor=anchor, class_="label"))
    return element("g", *parts)
