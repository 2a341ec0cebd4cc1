"""The reference pages are what the code says, and leave nothing out."""

import re
import tomllib
from pathlib import Path

import pytest

from stillwatch import tables
from stillwatch.campaigns import RIVALS
from stillwatch.evidence import kinds
from stillwatch.findings import Findings
from stillwatch.serve.settings import ServeSettings
from stillwatch.settings import Settings
from stillwatch.simulate import WORLDS
from stillwatch.sources import FORMATS, MAPPINGS
from tools.reference import FILES, FOLDER, PAGES, made
from tools.reference.commands import commands, parameters, spelt

ROOT = Path(__file__).parents[2]
TABLES = [t for t in vars(tables).values() if isinstance(t, tables.Table)]


def page(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    found = re.search(rf"^{re.escape(heading)}(?: \{{[^}}\n]*\}})?$(.*?)(?=^#{{1,{level}}} |\Z)", text, re.M | re.S)
    assert found, f"no section {heading!r}"
    return found[1]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_what_is_made_from_the_code_is_what_the_code_says(path):
    assert path.read_text("utf-8") == made(path), f"{path.relative_to(ROOT)} is stale: run `make reference`"


def test_no_page_is_left_over_and_every_page_is_in_the_menu():
    assert {p.name for p in FOLDER.glob("*")} == set(PAGES)
    menu = (ROOT / "mkdocs.yml").read_text("utf-8")
    docs = ROOT / "docs"
    assert [p for p in docs.rglob("*.md") if str(p.relative_to(docs)) not in menu] == []


@pytest.mark.parametrize(
    "table", [t for t in vars(tables).values() if isinstance(t, tables.Table)], ids=lambda t: t.name
)
def test_every_column_is_documented(table):
    text = section(page("columns.md"), f"### {table.name}")
    for column in table.columns:
        assert column.meaning.strip()
        assert f"| `{column.name}` |" in text


@pytest.mark.parametrize(("settings", "prefix"), [(Settings, "STILLWATCH_"), (ServeSettings, "STILLWATCH_SERVE_")])
def test_every_setting_is_documented(settings, prefix):
    text = page("settings.md")
    for name, field in settings.model_fields.items():
        assert field.description, f"the setting {name} has no description"
        assert f"| `{name}` | `{prefix}{name.upper()}` |" in text


@pytest.mark.parametrize("kind", kinds(), ids=lambda k: k.name)
def test_every_kind_of_evidence_is_documented(kind):
    text = section(page("evidence.md"), f"### {kind.name}")
    assert all(cause in text for cause in kind.benign_causes)
    assert kind.statement in text
    assert text.count("| ") > len(kind.examples) >= 2


def test_every_rival_is_documented():
    text = page("evidence.md")
    for claim, rivals in RIVALS.items():
        for rival in rivals:
            assert f"| `{claim}` | `{rival.name}` |" in text


def test_what_evidence_is_explained_by_is_a_rival():
    known = {rival.name for rivals in RIVALS.values() for rival in rivals}
    assert {name: k.name for k in kinds() for name in k.explained_by if name not in known} == {}


def test_every_technique_is_named_among_the_concepts():
    concepts = (ROOT / "docs" / "concepts.md").read_text("utf-8")
    assert {k.technique for k in kinds() if k.technique and f"[{k.technique}]" not in concepts} == set()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_and_its_mapping_are_documented(name):
    text = page("mappings.md")
    assert f"{{ #{name} }}" in text
    own = text[text.index(f"{{ #{name} }}") :]
    assert all(f"| `{column}` |" in own for column in tables.EXCHANGES.names)
    for _, source, _ in MAPPINGS[name]:
        assert all(place.removeprefix("as ") in own for place in source.split(", else "))


def test_every_command_and_option_is_documented():
    text = page("commands.md")
    assert commands()
    for name, command in commands().items():
        own = section(text, f"## stillwatch {name}")
        assert command.help, f"stillwatch {name} has no help"
        for parameter in parameters(command):
            assert f"| `{spelt(parameter)}` |" in own
            assert parameter.help, f"stillwatch {name} {spelt(parameter)} has no help"


def test_every_field_of_the_findings_is_documented():
    schema = Findings.model_json_schema()
    text = page("findings.md")
    for title, part in {"The document": schema, **schema["$defs"]}.items():
        own = section(text, f"## {title}")
        assert all(f"| `{name}` |" in own for name in part["properties"])


def test_every_world_is_documented():
    assert all(f"| `{name}` |" in page("worlds.md") for name in WORLDS)


def test_the_changelog_tells_of_the_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
