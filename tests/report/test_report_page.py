"""The page: everything is on it, nothing hostile acts on it, and it needs no network."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest
from example import START, example, nothing_found

from stillwatch.findings import DayCount, Findings
from stillwatch.report import render_report
from stillwatch.report.charts.flow import flow_chart
from stillwatch.report.charts.volume import Series, volume_chart
from stillwatch.report.charts.waterfall import waterfall
from stillwatch.report.wording import odds_bits

VOID = {"meta", "link", "img", "br", "hr", "input", "base", "area", "col", "embed", "source", "track", "wbr"}
HOSTILE = (
    "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}\u202egnp.exe\x00\x1b[31m\ud800&lt;</style>"
)


class Page(HTMLParser):
    """Reads a page as a browser would, and notes what it would fetch or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def said(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.text))

    def values(self, name: str) -> list[str]:
        return [value or "" for _, attribute, value in self.attributes if attribute == name]


@pytest.fixture(scope="module")
def findings() -> Findings:
    return example()


@pytest.fixture(scope="module")
def html(findings: Findings) -> str:
    return render_report(findings)


def poisoned(value: Any, key: str = "", within: str = "") -> Any:
    """The document with hostile text in every free string, names of dictionary entries included."""
    # These are dates or closed vocabularies, which the document's own validation guards.
    closed = {"day", "time", "first", "last", "as_of", "role", "claim", "verdict", "sketch_key"}
    closed |= {("factors", "name"), ("marks", "kind")}
    if key in closed or (within, key) in closed:
        return value
    if isinstance(value, dict):
        free = key in {"models", "links", "formats", "rejected_by_reason", "settings"}
        return {(HOSTILE + k if free else k): poisoned(v, k, key) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(v, key, within) for v in value]
    return HOSTILE + value if isinstance(value, str) else value


def test_every_tag_closes_and_every_reference_points_somewhere(html: str) -> None:
    page = Page(html)
    assert page.open == []
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    for reference in [*page.values("href"), *("#" + v for v in page.values("aria-labelledby"))]:
        assert reference.startswith("#")
        assert reference[1:] in ids


@pytest.mark.parametrize("make", [example, nothing_found])
def test_nothing_is_fetched_run_or_sent(make: Any) -> None:
    html = render_report(make())
    page = Page(html)
    assert not page.tags.keys() & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image", "use"}
    assert not page.values("src")
    assert all(value.startswith("#") for value in page.values("href"))
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
    for outside in ("http://", "https://", "//fonts", "url(", "@import", "data:image"):
        assert outside not in html
    (policy,) = [
        value or "" for _, name, value in page.attributes if name == "content" and "default-src" in (value or "")
    ]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_every_part_is_on_the_page(html: str, findings: Findings) -> None:
    said = Page(html).said()
    for sentence in findings.headline:
        assert sentence in said
    for c in findings.campaigns:
        assert c.title in said
        assert c.summary in said
        for part in (*c.against, *(m.reason for m in c.members[:25]), *(w.title for w in c.workloads)):
            assert part in said
        assert all(e.statement in said for f in c.factors for e in f.evidence)
        assert all(r.reason in said for f in c.factors for r in f.rivals)
        assert all(cause in said for f in c.factors for e in f.evidence for cause in e.benign_causes)
        assert all(p.text in said for w in c.workloads for p in w.passages)
        assert all(m.account_id in said for m in c.members)
    for g in findings.cleared:
        assert g.title in said
        assert g.reason in said
        assert g.would_decide in said
    for part in (*findings.notes, *findings.traffic.absent_columns, *findings.traffic.rejected_by_reason):
        assert part in said
    assert all(name in said for name in findings.settings)
    assert "10 bits = about a thousand times likelier" in said
    assert "the client's JA4 fingerprint" in said


def test_pictures_have_labels_and_tables_have_heads(html: str) -> None:
    page = Page(html)
    pictures = page.tags["svg"]
    labelled = sum(tag == "svg" and name in {"aria-label", "aria-hidden"} for tag, name, _ in page.attributes)
    assert pictures == labelled > 0
    assert len(re.findall(r'role="img"', html)) == 1 + 4 * 2
    assert page.values("scope").count("col") >= 6 * page.tags["thead"] // 2


def test_hostile_text_stays_text(findings: Findings, html: str) -> None:
    # A lone surrogate passes the document's own validation.
    hostile = render_report(Findings.model_validate(poisoned(findings.model_dump())))
    hostile.encode("utf-8")
    page, clean = Page(hostile), Page(html)
    assert page.tags.keys() == clean.tags.keys()
    assert {name for _, name, _ in page.attributes} == {name for _, name, _ in clean.attributes}
    assert all(value.startswith("#") for value in page.values("href"))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", hostile)
    said = page.said()
    assert "<script>alert(1)</script>" in said
    assert "{{ 7*7 }}‹U+202E›gnp.exe‹U+0000 U+001B›[31m‹U+D800›&lt;" in said


def test_text_stands_out_from_its_ground_in_light_and_dark() -> None:
    css = (files("stillwatch.report") / "templates" / "style.css").read_text()
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in css.split("@media")[:2])
    assert light.keys() == dark.keys()
    for theme in (light, dark):
        for text in ("ink", "soft", "accent"):
            for ground in ("paper", "raised"):
                # WCAG 2.2, 1.4.3: 4.5 for text of ordinary size.
                assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)
        assert contrast(theme["ink"], theme["accent-wash"]) >= 4.5
        # 1.4.11: 3 for what a picture says.
        assert contrast(theme["c1"], theme["paper"]) >= 3
        assert contrast(theme["c1"], theme["other"]) >= 1.8


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_page_without_campaigns_reassures_and_stays_useful() -> None:
    found = nothing_found()
    said = Page(render_report(found)).said()
    assert found.headline[0] in said
    assert "What it does not mean." in said
    assert "Accounts to look at first" not in said
    assert all(g.reason in said for g in found.cleared)
    bare = found.model_copy(update={"cleared": [], "notes": [], "headline": [], "settings": {}})
    assert "No group looked alike enough to need clearing." in Page(render_report(bare)).said()


def test_the_same_findings_give_the_same_bytes(findings: Findings, html: str) -> None:
    assert render_report(Findings.model_validate_json(findings.model_dump_json())) == html


def test_tens_of_thousands_of_members_stay_a_page_that_opens(findings: Findings) -> None:
    campaign = findings.campaigns[0]
    many = [campaign.members[i % 312].model_copy(update={"account_id": f"acct_{i:06d}"}) for i in range(24_000)]
    crowded = findings.model_copy(update={"campaigns": [campaign.model_copy(update={"members": many})]})
    html = render_report(crowded)
    said = Page(html).said()
    assert "The first 1,000 of 24,000 are listed; all are in memberships.parquet." in said
    assert "acct_000999" in said
    assert "acct_001000" not in said
    assert len(html) < 2_000_000


def test_traffic_of_minutes_has_a_page(findings: Findings) -> None:
    first, last = START, START + timedelta(minutes=31)
    one_day = [DayCount(day="2026-01-05", exchanges=900)]
    campaign = findings.campaigns[0].model_copy(
        update={"first": first, "last": last, "volume": one_day, "volume_others": [], "marks": []}
    )
    traffic = findings.traffic.model_copy(update={"first": first, "last": last, "volume": one_day})
    said = Page(render_report(findings.model_copy(update={"campaigns": [campaign], "traffic": traffic}))).said()
    assert "5 January 2026, 00:00–00:31 UTC" in said
    assert "31 minutes" in said
    assert "hours of the week say nothing yet" in said


def test_every_waterfall_ends_at_the_probability_that_is_stated(findings: Findings) -> None:
    for factor in (f for c in findings.campaigns for f in c.factors):
        fall = waterfall(factor)
        assert fall.steps[0].bits == factor.prior_bits
        assert fall.steps[-1].kind == "total"
        assert fall.steps[-1].bits == pytest.approx(odds_bits(factor.probability), abs=0.16)
        for before, after in zip(fall.steps[:-2], fall.steps[1:-1], strict=True):
            assert before.end == pytest.approx(after.start)


def test_much_evidence_is_folded_and_none_of_its_bits_lost(findings: Findings) -> None:
    factor = findings.campaigns[0].factors[0]
    many = [factor.evidence[0].model_copy(update={"id": f"e{i}", "bits": 0.1 * i}) for i in range(40)]
    fall = waterfall(factor.model_copy(update={"evidence": many}))
    assert len(fall.folded) == 26
    between = [s.bits for s in fall.steps if s.kind in {"for", "against"}]
    assert sum(between) == pytest.approx(sum(e.bits for e in many))


def test_flow_widths_add_up_on_both_sides_of_a_workload(findings: Findings) -> None:
    drawn = str(flow_chart(findings.campaigns[0]))
    ribbons = re.findall(r'd="M(\d+) [^"]*" stroke-width="([\d.]+)"', drawn)
    left = sum(float(width) for x, width in ribbons if x == "160")
    right = sum(float(width) for x, width in ribbons if x == "480")
    assert left == pytest.approx(190, abs=0.1)
    assert right == pytest.approx(190, abs=0.1)


def test_a_crowd_of_pools_is_drawn_as_eight_and_none_of_it_is_lost(findings: Findings) -> None:
    campaign = findings.campaigns[0]
    flows = [campaign.flows[0].model_copy(update={"pool_id": f"P{i}", "exchanges": 10 + i}) for i in range(300)]
    drawn = str(flow_chart(campaign.model_copy(update={"flows": flows})))
    assert drawn.count('class="node"') == 8 + 1 + 2
    assert ">others</text>" in drawn


def test_long_traffic_is_drawn_by_week_and_keeps_its_sum() -> None:
    days = [DayCount(day=(START + timedelta(days=d)).date().isoformat(), exchanges=10) for d in range(365)]
    drawn = str(volume_chart("All", [Series("all", "other", days)]))
    assert drawn.count("<rect") == 53
    assert "At most 70 exchanges a week." in drawn
