"""Who sends what to which model: pools, workloads and models as three columns of a flow."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from stillwatch.findings import Campaign
from stillwatch.report.charts.svg import drawing, element
from stillwatch.report.wording import count, one_line, plural

WIDTH = 960
NODE = 10
COLUMN_X = (150, 470, 790)
GAP = 26
BODY = 190
TOP = 26
# More than eight nodes in a column are thinner than their names; the smallest are drawn as one.
NODES = 8
REST = "\x00rest"


@dataclass(slots=True)
class _Node:
    title: str
    note: str
    size: int
    y: float = 0.0
    height: float = 0.0
    used_left: float = 0.0
    used_right: float = 0.0


def flow_chart(campaign: Campaign) -> Markup:
    """The campaign's exchanges from pool to workload to model, widths in proportion to exchanges.

    What a workload sends to each model is known of the workload as a whole; it is scaled to what the pools send of it.
    """
    links = _pool_links(campaign)
    if not links:
        return Markup("")
    onward = _model_links(campaign, links)
    pools = _nodes([(p, n) for (p, _), n in links.items()])
    workloads = _nodes([(w, n) for (_, w), n in links.items()])
    models = _nodes([(m, n) for (_, m), n in onward.items()])
    _name(campaign, pools, workloads)
    columns = [pools, workloads, models]
    total = sum(links.values())
    tallest = max(len(c) for c in columns)
    height = TOP + BODY + GAP * (tallest - 1) + 30
    for column in columns:
        _stack(column, total, height)
    parts = [_head(x, name) for x, name in zip(COLUMN_X, ("Pools", "Workloads", "Models asked"), strict=True)]
    parts += _ribbons(pools, workloads, links, total, 0)
    parts += _ribbons(workloads, models, onward, total, 1)
    parts += [_box(node, i) for i, column in enumerate(columns) for node in column.values()]
    label = "Flow of exchanges from " + "; ".join(
        f"{pools[p].title} to {workloads[w].title}: {count(n)}" for (p, w), n in links.items()
    )
    return drawing(label, *parts, height=height, viewBox=f"0 0 {WIDTH} {height:.0f}", class_="flow")


def _pool_links(campaign: Campaign) -> dict[tuple[str, str], int]:
    pools = _kept([(f.pool_id, f.exchanges) for f in campaign.flows])
    workloads = _kept([(f.workload_id, f.exchanges) for f in campaign.flows])
    links: dict[tuple[str, str], int] = {}
    for f in sorted(campaign.flows, key=lambda f: (-f.exchanges, f.pool_id, f.workload_id)):
        if f.exchanges > 0:
            key = (f.pool_id if f.pool_id in pools else REST, f.workload_id if f.workload_id in workloads else REST)
            links[key] = links.get(key, 0) + f.exchanges
    return links


def _model_links(campaign: Campaign, links: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    asked: dict[str, dict[str, int]] = {}
    for w in campaign.workloads:
        into = asked.setdefault(w.id if any(w.id == target for _, target in links) else REST, {})
        for model, n in w.models.items():
            into[model] = into.get(model, 0) + n
    kept = _kept([(model, n) for by_model in asked.values() for model, n in by_model.items()])
    onward: dict[tuple[str, str], int] = {}
    for workload in dict.fromkeys(w for _, w in links):
        sent = sum(n for (_, w), n in links.items() if w == workload)
        by_model = asked.get(workload, {})
        whole = sum(by_model.values())
        for model, n in sorted(by_model.items(), key=lambda item: (-item[1], item[0])):
            key = (workload, model if model in kept else REST)
            onward[key] = onward.get(key, 0) + round(sent * n / whole) if whole else 0
    return {key: n for key, n in onward.items() if n > 0}


def _kept(sizes: list[tuple[str, int]]) -> set[str]:
    nodes = _nodes(sizes)
    ranked = sorted(nodes, key=lambda name: (-nodes[name].size, name))
    return set(ranked if len(ranked) <= NODES else ranked[: NODES - 1])


def _nodes(sizes: list[tuple[str, int]]) -> dict[str, _Node]:
    nodes: dict[str, _Node] = {}
    for name, n in sizes:
        node = nodes.setdefault(name, _Node("others" if name == REST else name, "", 0))
        node.size += n
    for node in nodes.values():
        node.note = count(node.size)
    return dict(sorted(nodes.items(), key=lambda item: (item[0] == REST, -item[1].size, item[0])))


def _name(campaign: Campaign, pools: dict[str, _Node], workloads: dict[str, _Node]) -> None:
    for pool in campaign.pools:
        if pool.id in pools:
            pools[pool.id].note = plural(pool.accounts, "account")
    for workload in campaign.workloads:
        if workload.id in workloads:
            node = workloads[workload.id]
            node.title = f"{workload.id} {workload.title}"
            node.note = f"{count(node.size)} exchanges"


def _stack(column: dict[str, _Node], total: int, height: float) -> None:
    taken = sum(max(2.0, BODY * node.size / total) for node in column.values()) + GAP * (len(column) - 1)
    y = TOP + max(0.0, (height - TOP - 14 - taken) / 2)
    for node in column.values():
        node.y = y
        node.height = max(2.0, BODY * node.size / total)
        y += node.height + GAP


def _ribbons(
    left: dict[str, _Node], right: dict[str, _Node], links: dict[tuple[str, str], int], total: int, column: int
) -> list[Markup]:
    x1, x2 = COLUMN_X[column] + NODE, COLUMN_X[column + 1]
    middle = (x1 + x2) / 2
    order = {name: i for i, name in enumerate(left)}, {name: i for i, name in enumerate(right)}
    paths = []
    for a, b in sorted(links, key=lambda link: (order[0][link[0]], order[1][link[1]])):
        n = links[(a, b)]
        thick = max(1.0, BODY * n / total)
        y1 = left[a].y + left[a].used_right + thick / 2
        y2 = right[b].y + right[b].used_left + thick / 2
        left[a].used_right += thick
        right[b].used_left += thick
        title = element("title", f"{left[a].title} → {right[b].title}: {plural(n, 'exchange')}")
        curve = f"M{x1} {y1:.2f}C{middle:.1f} {y1:.2f} {middle:.1f} {y2:.2f} {x2} {y2:.2f}"
        paths.append(element("path", title, d=curve, stroke_width=thick, class_="ribbon"))
    return paths


def _head(x: float, name: str) -> Markup:
    return element("text", name, x=x, y=13, class_="tick")


def _box(node: _Node, column: int) -> Markup:
    x = COLUMN_X[column]
    beside, anchor = (-8, "end") if column == 0 else (NODE + 8, "start")
    middle = node.y + node.height / 2
    place: dict[str, str | float] = {"x": x + beside, "text_anchor": anchor}
    return element(
        "g",
        element("rect", x=x, y=node.y, width=NODE, height=node.height, class_="node"),
        element("text", one_line(node.title, 30), y=middle - 1, class_="name", **place),
        element("text", node.note, y=middle + 14, class_="tick", **place),
    )
