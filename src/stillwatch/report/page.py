"""The findings as one HTML page that needs no network: a first page for who decides, depth below for who checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import prod
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stillwatch import tables
from stillwatch.findings import Campaign, DayCount, Evidence, Findings, Mark, Rival
from stillwatch.report import wording
from stillwatch.report.charts.flow import flow_chart
from stillwatch.report.charts.hours import hours_chart, hours_in_words
from stillwatch.report.charts.volume import Series, volume_chart
from stillwatch.report.charts.waterfall import Waterfall, step_bar, waterfall

# A screenful that a person reads; the rest of a small campaign is folded away below it.
MEMBERS_FIRST = 25
# At some 700 bytes a row, a thousand rows are 0.7 MB a campaign: beyond that memberships.parquet serves better.
MEMBERS_MOST = 1_000
# Three shades of one colour can be told apart in a stack; further campaigns share a fourth.
SHADES = 3
# A passage is read for its recurring part, which is at most some hundred words; longer ones are cut and say so.
PASSAGE_CHARACTERS = 2_000
# A workload's first passages carry most accounts; an analyst wants the text, not a list of its windows.
PASSAGES = 8


@dataclass(frozen=True, slots=True)
class BenignCause:
    """An innocent cause, the observations of one campaign that it would explain, and their bits together."""

    cause: str
    kinds: list[str]
    bits: float


def render_report(findings: Findings) -> str:
    """The whole page. The same findings give the same bytes; nothing but the findings enters it.

    Returns:
        A complete HTML document with its style sheet and charts inline, under a content security policy that allows
        no script and no connection. It can be encoded as UTF-8 whatever text the findings hold.
    """
    environment = Environment(
        loader=PackageLoader("stillwatch.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_finalize,
    )
    environment.filters.update(
        count=wording.count,
        short_count=wording.short_count,
        percent=wording.percent,
        signed_bits=wording.signed_bits,
        plain_name=wording.plain_name,
        one_line=wording.one_line,
        probability_of=wording.probability_of,
    )
    names = {
        "plural": wording.plural,
        "expected_loss": wording.expected_loss,
        "loss_unit": wording.loss_unit(findings),
        "share": wording.share,
        "span": wording.span,
        "lasting": wording.lasting,
        "spans_days": spans_days,
        "style": Markup(environment.get_template("style.css").render()),
        "flow_chart": flow_chart,
        "hours_chart": hours_chart,
        "hours_in_words": hours_in_words,
        "waterfall": waterfall,
        "waterfall_rows": waterfall_rows,
        "campaign_volume": campaign_volume,
        "total_volume": total_volume,
        "benign_causes": benign_causes,
        "rivals": rivals,
        "passage_text": passage_text,
        "shade": shade,
        "product": product,
        "meaning": column_meanings(),
        "MEMBERS_FIRST": MEMBERS_FIRST,
        "MEMBERS_MOST": MEMBERS_MOST,
        "PASSAGES": PASSAGES,
        "SHADES": SHADES,
    }
    page = environment.get_template("report.html.j2")
    return page.render(findings=findings, totals=totals(findings), **names)


def _finalize(value: object) -> object:
    # All that is printed passes here before it is escaped: controls and bidirectional overrides are written out.
    return wording.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def totals(findings: Findings) -> dict[str, int]:
    """The numbers of the first page: accounts, victims, exchanges and output tokens in campaigns, groups cleared.

    An account in several campaigns counts once; exchanges and tokens are sums over campaigns.
    """
    campaigns = findings.campaigns
    accused = {m.account_id for c in campaigns for m in c.members if m.role == "member"}
    victims = {m.account_id for c in campaigns for m in c.members if m.role == "victim"} - accused
    return {
        "accounts": len(accused),
        "victims": len(victims),
        "exchanges": sum(c.exchanges for c in campaigns),
        "output_tokens": sum(c.output_tokens for c in campaigns),
        "cleared": sum(g.verdict == "cleared" for g in findings.cleared),
        "undetermined": sum(g.verdict == "undetermined" for g in findings.cleared),
    }


def product(campaign: Campaign) -> float:
    """The product of the campaign's three factors, to hold beside the probability that it states."""
    return prod(f.probability for f in campaign.factors)


def spans_days(findings: Findings) -> bool:
    """Whether the traffic lasts the two days from which on hours of the week begin to say something."""
    return findings.traffic.last - findings.traffic.first >= timedelta(days=2)


def shade(index: int) -> str:
    """The style sheet's class for the campaign at this place in the list."""
    return f"c{min(index, SHADES) + 1}"


def total_volume(findings: Findings) -> Markup:
    """All traffic by day with each campaign's share of it, the campaigns at the bottom."""
    campaigns = findings.campaigns
    layers = [Series(f"{c.id} {c.title}", shade(i), c.volume) for i, c in enumerate(campaigns[:SHADES])]
    if campaigns[SHADES:]:
        days = [d for c in campaigns[SHADES:] for d in c.volume]
        layers.append(Series(wording.plural(len(campaigns) - SHADES, "other campaign"), shade(SHADES), days))
    in_campaigns: dict[str, int] = {}
    for layer in layers:
        for d in layer.days:
            in_campaigns[d.day] = in_campaigns.get(d.day, 0) + d.exchanges
    # An exchange may stand in two campaigns, so that the sum may pass the day's total.
    rest = [
        DayCount(day=d.day, exchanges=max(0, d.exchanges - in_campaigns.get(d.day, 0))) for d in findings.traffic.volume
    ]
    layers.append(Series("all other traffic", "other", rest))
    releases = {(m.time, m.label): m for c in campaigns for m in c.marks if m.kind == "release"}
    marks: Sequence[Mark] = list(releases.values())
    return volume_chart("All exchanges by day, with the campaigns' part", layers, marks)


def campaign_volume(findings: Findings, campaign: Campaign, index: int) -> Markup:
    """A campaign's exchanges by day and its members' other ones, over the days of all traffic, against its marks."""
    first, last = findings.traffic.first.date(), findings.traffic.last.date()
    edges = [DayCount(day=d.isoformat(), exchanges=0) for d in _edges(first, last)]
    layers = [
        Series("campaign", shade(index), [*campaign.volume, *edges]),
        Series("the same accounts' other exchanges", "other", campaign.volume_others),
    ]
    return volume_chart(f"Exchanges of campaign {campaign.id} by day", layers, campaign.marks)


def _edges(first: date, last: date) -> list[date]:
    # A clock gone wrong in one record must not stretch the axis over decades: then the campaign's own days are drawn.
    return [first, last] if last - first < timedelta(days=2 * 366) else []


def waterfall_rows(fall: Waterfall) -> list[tuple[Any, Markup]]:
    """Each step of a waterfall with its bar."""
    return [(step, step_bar(fall, i)) for i, step in enumerate(fall.steps)]


def rivals(campaign: Campaign) -> list[tuple[str, Rival]]:
    """All rivals of a campaign with the factor whose claim they dispute, the strongest (least bits) first."""
    weighed = [(f.name, r) for f in campaign.factors for r in f.rivals]
    return sorted(weighed, key=lambda pair: (pair[1].bits, pair[0], pair[1].name))


def benign_causes(campaign: Campaign) -> list[BenignCause]:
    """Innocent causes of a campaign's observations, those that would explain most bits away first."""
    by_cause: dict[str, list[Evidence]] = {}
    for factor in campaign.factors:
        for e in factor.evidence:
            for cause in e.benign_causes if e.bits > 0 else []:
                by_cause.setdefault(cause, []).append(e)
    causes = [
        BenignCause(cause, list(dict.fromkeys(e.kind for e in found)), sum(e.bits for e in found))
        for cause, found in by_cause.items()
    ]
    return sorted(causes, key=lambda c: (-c.bits, c.cause))


def passage_text(text: str) -> Markup:
    """A shared passage, escaped, with unseen characters written out and marked; long ones are cut and say so."""
    cut = text[:PASSAGE_CHARACTERS]
    parts = []
    for piece, written_out in wording.visible_pieces(cut):
        parts.append(Markup('<span class="unseen">{}</span>').format(piece) if written_out else Markup.escape(piece))
    if len(text) > len(cut):
        left = wording.count(len(text) - len(cut))
        parts.append(Markup('<span class="unseen"> … and {} characters more</span>').format(left))
    return Markup("").join(parts)


def column_meanings() -> dict[str, str]:
    """What each column of exchanges, accounts and models means, to say what is missing where one is absent."""
    known = (tables.MODELS, tables.ACCOUNT_EVENTS, tables.ACCOUNTS, tables.EXCHANGES)
    return {c.name: c.meaning for table in known for c in table.columns}
