"""The terminal: tables fit eighty columns, figures are right, and hostile text moves no cursor."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from example import example, nothing_found, truth
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from stillwatch.findings import Findings
from stillwatch.report import Explanation, print_explanation, print_findings
from stillwatch.report.wording import cells, likelier, one_line, percent, share, signed_bits, span, visible

HOSTILE = "\x1b[2J\x07[bold]not markup[/bold] \u202egnp \u200b\u200b \ud800 " + "a" * 300 + "漢字" * 60


def printed(show: object, width: int = 80) -> str:
    stream = StringIO()
    console = Console(file=stream, width=width, force_terminal=False, legacy_windows=False)
    show(console)  # type: ignore[operator]
    return stream.getvalue()


def explanation(found: Findings) -> Explanation:
    c = found.campaigns[0]
    evidence = [e for f in c.factors for e in f.evidence]
    return Explanation(c.id, "campaign", c.title, [("probability", percent(c.probability))], evidence, ["A note."])


@pytest.mark.parametrize("width", [80, 100, 140])
def test_nothing_overflows(width: int) -> None:
    found = example()
    for text in (
        printed(lambda console: print_findings(found, console, truth(found)), width),
        printed(lambda console: print_explanation(explanation(found), console), width),
    ):
        assert max(cells(line.rstrip()) for line in text.splitlines()) <= width


def test_headline_campaigns_members_and_cleared_are_printed() -> None:
    found = example()
    text = " ".join(printed(lambda console: print_findings(found, console)).split())
    for sentence in found.headline:
        assert sentence in text
    for part in (
        "96.1%",
        "140,500",
        "+ 6 victims",
        found.campaigns[0].members[0].account_id,
        "popular artefact",
        "Open,",
    ):
        assert part in text
    assert "Beside the truth" not in text


def test_the_truth_is_printed_beside_the_findings() -> None:
    found = example()
    text = printed(lambda console: print_findings(found, console, truth(found)))
    rows = [line.split() for line in text.splitlines()]
    assert ["C1", "alpha", "312", "311", "1", "320", "97.1%"] in rows
    assert ["C2", "beta", "40", "40", "0", "40", "100.0%"] in rows
    assert ["not", "found", "gamma", "0", "0", "0", "1", "0.0%"] in rows
    assert "Of 352 accused accounts 351 are guilty: precision 99.7%." in text
    assert "Of 361 guilty accounts 351 are accused: recall 97.2%." in text
    assert "Wrongly accused: 1 agency innocent." in text
    assert "Of 6 victims of theft 6 are named as victims." in text


def test_nothing_found_beside_a_truth() -> None:
    found = nothing_found()
    text = printed(lambda console: print_findings(found, console, {"campaigns": {}, "roles": {}}))
    assert "No distillation campaign was found" in text
    assert "precision n/a" in text
    assert "Accounts to look at first" not in text


def test_hostile_text_is_shown_and_obeyed_by_nobody() -> None:
    found = example()
    c = found.campaigns[0]
    member = c.members[0].model_copy(update={"account_id": HOSTILE, "reason": HOSTILE})
    bad = c.model_copy(update={"id": HOSTILE, "title": HOSTILE, "targets": [HOSTILE], "members": [member]})
    group = found.cleared[3].model_copy(update={"title": HOSTILE, "reason": HOSTILE, "would_decide": HOSTILE})
    found = found.model_copy(update={"campaigns": [bad], "cleared": [group], "headline": [HOSTILE], "notes": [HOSTILE]})
    named = {"campaigns": {HOSTILE: {HOSTILE}}, "roles": {HOSTILE: (HOSTILE, "member")}}
    shown = Explanation(
        HOSTILE,
        "account",
        HOSTILE,
        [(HOSTILE, HOSTILE)],
        [c.factors[0].evidence[0].model_copy(update={"statement": HOSTILE})],
        [HOSTILE],
    )
    for text in (
        printed(lambda console: print_findings(found, console, named)),  # type: ignore[arg-type]
        printed(lambda console: print_explanation(shown, console)),
    ):
        text.encode("utf-8")
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u200b]", text)
        assert "[bold]not markup[/bold]" in " ".join(text.split())
        assert max(cells(line.rstrip()) for line in text.splitlines()) <= 80


def test_an_explanation_totals_each_claim_in_bits() -> None:
    found = example()
    text = printed(lambda console: print_explanation(explanation(found), console))
    assert "campaign C1" in text
    assert re.search(r"\+25\.0 +together: about 34 million times likelier", text)
    assert re.search(r"\+14\.0 +together: about 16,000 times likelier", text)
    assert re.search(r"−1\.7 +█+│", text)
    assert "could also be: a VPN's customers" in text
    bare = Explanation("x", "exchange", "an exchange", [], [], [])
    assert "No evidence speaks about it." in printed(lambda console: print_explanation(bare, console))


def test_unseen_characters_are_written_out_and_scripts_that_need_joiners_keep_them() -> None:
    assert visible("a\x00\x00\x00b") == "a‹U+0000 ×3›b"
    assert visible("a\u202eb\u2066c") == "a‹U+202E›b‹U+2066›c"
    assert visible("line\r\nnext\tcell") == "line\nnext\tcell"
    assert visible("می\u200cخواهم") == "می\u200cخواهم"
    assert visible("👩\u200d🔬") == "👩\u200d🔬"
    assert visible("hidden \u200d\u200d\u200c word") == "hidden ‹U+200D ×2 U+200C› word"
    assert visible("\ud83d").encode("utf-8") == "‹U+D83D›".encode()
    assert visible("请逐步推理") == "请逐步推理"


@given(st.text(st.characters(exclude_categories=()) | st.sampled_from("\u200c\u200d\u202e\x00 \n\ud800a")))
def test_no_text_keeps_anything_unseen(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert visible(shown) == shown
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]", shown)
    assert one_line(text, 20) == one_line(text, 20).strip()
    assert cells(one_line(text, 20)) <= 20


def test_numbers_claim_no_more_than_is_known() -> None:
    assert [percent(p) for p in (0, 0.0004, 0.041, 0.5, 0.961, 0.9994, 1)] == [
        "under 0.1%",
        "under 0.1%",
        "4.1%",
        "50%",
        "96.1%",
        "over 99.9%",
        "over 99.9%",
    ]
    assert [share(1, 0), share(0, 9), share(1, 9_000), share(14, 100)] == ["–", "0%", "under 0.1%", "14%"]
    assert [signed_bits(b) for b in (6.2, -1.66, 0.04, -0.04)] == ["+6.2", "−1.7", "0.0", "0.0"]
    assert [likelier(b) for b in (0.1, 1, -3, 10, 25, 60)] == [
        "neither way",
        "about 2.0 times likelier",
        "about 8.0 times less likely",
        "about 1,000 times likelier",
        "about 34 million times likelier",
        "over a trillion times likelier",
    ]
    assert one_line("漢字" * 10, 9) == "漢字漢字…"


def test_spans_are_said_briefly() -> None:
    c = example().campaigns[0]
    assert span(c.first, c.last) == "11 January – 5 March 2026"
    assert span(c.first, c.first.replace(day=28)) == "11–28 January 2026"
    assert span(c.first, c.first.replace(year=2027)) == "11 January 2026 – 11 January 2027"
