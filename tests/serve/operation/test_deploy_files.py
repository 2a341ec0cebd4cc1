"""The files in deploy/ and the recipes: what they name is there."""

import json
import re
from configparser import RawConfigParser
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from tests.serve.gateways.live import DEPLOY

from stillwatch.respond.state import State
from stillwatch.serve.app import create_app
from stillwatch.serve.ingest.part import ingest
from stillwatch.serve.settings import ServeSettings

ROOT = DEPLOY.parent


def test_the_dashboard_asks_for_series_that_there_are(tmp_path):
    board = json.loads((DEPLOY / "grafana" / "stillwatch.json").read_text())
    asked = {name for p in board["panels"] for t in p["targets"] for name in re.findall(r"stillwatch_\w+", t["expr"])}
    settings = ServeSettings(folder=tmp_path, open_metrics=True)
    with closing(State.open(tmp_path / "state.db")) as state, TestClient(create_app(settings, state, ingest)) as http:
        page = http.get("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M))
    told = {f"{name}_bucket" if kind == "histogram" else name for name, kind in kinds.items()}
    assert asked - told == set()
    assert len({p["id"] for p in board["panels"]}) == len(board["panels"]) >= 10


def test_the_unit_keeps_the_service_to_its_own_folder():
    unit = RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read(DEPLOY / "stillwatch.service")
    service = unit["Service"]
    assert service["ExecStart"].endswith("stillwatch serve")
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "stillwatch"
    assert int(service["TimeoutStopSec"]) > ServeSettings.model_fields["drain_seconds"].default


def test_the_image_copies_what_there_is_and_runs_without_rights():
    text = (DEPLOY / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M):
        assert all((ROOT / name).exists() for name in line.split()[:-1])
    assert "USER stillwatch" in text
    _settings_exist(re.findall(r"STILLWATCH_SERVE_([A-Z_]+)", text))


def test_the_compose_file_names_settings_that_there_are_and_holds_no_secret():
    text = (DEPLOY / "compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    assert services.keys() == {"postgres", "stillwatch", "litellm"}
    _settings_exist(n.removeprefix("STILLWATCH_SERVE_") for n in services["stillwatch"]["environment"])
    asked = re.findall(r"(?:PASSWORD|KEY): (.+)", text)
    assert asked
    assert all(re.fullmatch(r"\$\{\w+:(\?|-)\}", value) for value in asked)
    # The key of the audit record lies where the database does not see it.
    audit_key = Path(services["stillwatch"]["environment"]["STILLWATCH_SERVE_AUDIT_KEY_FILE"])
    assert f"stillwatch:{audit_key.parent}" in services["stillwatch"]["volumes"]
    assert not set(services["postgres"]["volumes"]) & set(services["stillwatch"]["volumes"])
    assert re.fullmatch(r".+:v[\d.]+", services["litellm"]["image"])


def test_the_example_of_customers_lets_nobody_in():
    """Everybody can read it: the SHA-256 of no key that anybody knows."""
    assert json.loads((DEPLOY / "litellm" / "accounts.json").read_text()) == {64 * "0": "acme"}


def _settings_exist(names):
    assert {name.lower() for name in names} <= ServeSettings.model_fields.keys()


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "gateways").glob("*.md")), ids=lambda p: p.stem)
def test_every_recipe_shows_its_file_and_says_what_out_of_reach_means(page):
    text = page.read_text()
    assert "out of reach" in text.lower()
    included = re.findall(r'^--8<-- "(.+)"$', text, re.M)
    assert included or page.stem == "index"
    assert all((ROOT / name).is_file() for name in included)


def test_every_file_of_a_gateway_is_in_a_recipe():
    shown = "".join(p.read_text() for p in (ROOT / "docs" / "gateways").glob("*.md"))
    files = [p for folder in ("gateways", "litellm") for p in (DEPLOY / folder).glob("*.*")]
    assert len(files) >= 7
    assert [p.name for p in files if f"/{p.name}" not in shown] == []
