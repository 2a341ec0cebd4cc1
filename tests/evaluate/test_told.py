"""What is told of figures: a terminal of a hundred columns, a page without network, JSON, and the docs."""

import io
import json
import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import get_args, get_type_hints

import labelled
import pyarrow as pa
import pytest
from rich.console import Console

from stillwatch.errors import EnvironmentFailure
from stillwatch.evaluate import Evaluation, judge, print_evaluation, render_page, together, write_json, write_page
from stillwatch.evaluate.cited import Deleted
from stillwatch.evaluate.timeline import Course, Day, Timeline
from stillwatch.evaluate.truth import TRUTH_TABLES
from stillwatch.evaluate.wording import share_text

DOCS = Path(__file__).parents[2] / "docs" / "evaluate.md"
TIMELINE = Timeline(
    2,
    [Day("2026-02-03", 20, 1, 4, 1, {"a": 7, "b": 4}), Day("2026-02-05", 40, 2, 6, 3, {"a": 12, "b": 8})],
    [
        Course("a", "2026-02-02T00:00:00+00:00", "2026-02-03", 2.0, 3, 3, 3, 12, 7, 7 / 12),
        Course("b", "2026-02-02T00:00:00+00:00", None, None, 2, 2, 0, 8, 8, 1.0),
    ],
    None,
    None,
    0.79,
    1.0,
    3,
)
DELETED = [Deleted("C-1", 14, 0.9, 4, 0, 0, None, True), Deleted("C-2", 4, 0.6, 2, 2, 2, 0.6, False)]


@pytest.fixture
def whole(world, result) -> Evaluation:
    return replace(together([judge(world, result)]), timeline=TIMELINE, deleted=DELETED)


def shown(evaluation: Evaluation, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_evaluation(evaluation, console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    return text


def test_the_terminal(whole):
    text = shown(whole)
    assert "2 campaigns found, 2 true; of 10 accounts 5 are guilty, 6 accused, 3 rightly" in " ".join(text.split())
    assert re.search(r"account precision +0\.500 +3 of 6 accused", text)
    assert re.search(r"false group: no true campaign", text)
    assert re.search(r"^a +3/3 +1/1 +12/12 +C-1 +0\.857 +\+17%", text, re.M)
    assert re.search(r"^b +2026-02-02 +never +– ", text, re.M)
    assert "Found after never and never (median and worst)" in text
    assert re.search(r"^C-1 .* falls$", text, re.M)
    assert re.search(r"^C-2 .* stands$", text, re.M)


def test_a_world_without_campaigns(world, result):
    for name, column in (("truth_memberships", "account_id"), ("truth_exchanges", "exchange_id")):
        labelled.write(world, name, pa.table({c: pa.array([], pa.string()) for c in (column, "campaign")}))
    roles = [{"account_id": a, "population": p, "role": "innocent"} for a, (p, _) in labelled.ROLES.items()]
    labelled.write(world, "truth_accounts", labelled.table(roles, ["account_id", "population", "role"]))
    evaluation = together([judge(world, result)])
    assert (evaluation.accounts.recall, evaluation.exchanges.average_precision) == (None, None)
    assert evaluation.calibration.log_loss_ratio is None
    assert evaluation.false_groups.false == 2
    assert "0 true" in shown(evaluation)
    assert "Nobody is guilty in this world" in render_page(evaluation)


def test_shares_are_whole_only_when_they_are():
    assert [share_text(v) for v in (None, 0.0, 1.0, 0.9999, 0.00004, 0.5)] == [
        "–",
        "0.000",
        "1.000",
        "0.999",
        "4e-05",
        "0.500",
    ]


def test_the_page(whole):
    page = render_page(whole)
    assert page == render_page(whole)
    assert page.count("<svg") == 4  # two curves, reliability, the days
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=|https?://|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page
    assert "None" not in re.sub(r"<style>.*?</style>|content=\"[^\"]*\"", "", page, flags=re.S)


def test_other_peoples_names_are_only_text(world, result, whole):
    campaigns = [replace(whole.campaigns[0], campaign="<script>[red]x[/red]\u202e")]
    named = replace(whole, campaigns=campaigns)
    page = render_page(named)
    assert "<script" not in page
    assert "\u202e" not in page
    assert "<script>[red]x[/red]‹U+202E›" in re.sub(r"\s+$|\n", "", shown(named, 160), flags=re.M)


def test_the_files(whole, tmp_path):
    write_json(whole, tmp_path / "new" / "e.json")
    document = json.loads((tmp_path / "new" / "e.json").read_text("utf-8"))
    assert document["accounts"]["precision"] == 0.5
    assert document["timeline"]["campaigns"][1]["found_on"] is None
    write_page(whole, tmp_path / "e.html")
    assert (tmp_path / "e.html").read_text("utf-8") == render_page(whole)
    with pytest.raises(EnvironmentFailure, match="cannot be written"):
        write_json(whole, tmp_path)


def parts(kind: type) -> set[type]:
    """A dataclass and those in its fields."""
    found = {kind}
    for hint in get_type_hints(kind).values():
        for inner in [hint, *get_args(hint), *(a for h in get_args(hint) for a in get_args(h))]:
            if is_dataclass(inner) and inner not in found:
                found |= parts(inner)
    return found


def test_every_field_of_the_json_is_documented():
    text = DOCS.read_text("utf-8")
    missing = {f"{p.__name__}.{f.name}" for p in parts(Evaluation) for f in fields(p) if f"`{f.name}`" not in text}
    assert missing == set()


def test_every_column_of_the_truth_is_documented():
    text = DOCS.read_text("utf-8")
    for table in TRUTH_TABLES:
        columns = ", ".join(f"`{name}`" for name in table.names)
        assert f"| `{table.name}.parquet` | {columns} |" in text
