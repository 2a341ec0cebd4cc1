"""The files in deploy/ and the recipes: what they name is there."""

import json
import os
import re
import subprocess
import sys
from configparser import RawConfigParser
from contextlib import closing
from pathlib import Path

import pytest
import trustme
import yaml
from fastapi.testclient import TestClient
from tests.serve.gateways.live import DEPLOY, Live, needed

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
    # Else systemd tells the cycle to stop beside the parent, which would take it for dead and start it anew.
    assert service["KillMode"] == "mixed"


def test_systemd_takes_the_unit_as_it_is(tmp_path):
    program = needed("systemd-analyze", "apt-get install systemd")
    text = (DEPLOY / "stillwatch.service").read_text()
    assert "/opt/stillwatch/bin/stillwatch" in text
    unit = tmp_path / "stillwatch.service"

    def said(text: str) -> str:
        unit.write_text(text.replace("/opt/stillwatch/bin/stillwatch", sys.executable))
        done = subprocess.run(
            [program, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=60
        )
        return "".join(line for line in done.stderr.splitlines(keepends=True) if unit.name in line)

    assert said(text) == ""
    assert "kill mode" in said(text.replace("KillMode=mixed", "KillMode=some"))


def test_the_image_copies_what_there_is_and_runs_without_rights():
    text = (DEPLOY / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M):
        assert all((ROOT / name).exists() for name in line.split()[:-1])
    assert "USER stillwatch" in text
    _settings_exist(re.findall(r"STILLWATCH_SERVE_([A-Z_]+)", text))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_images_health_check_asks_the_service_as_it_is_set(tmp_path, scheme):
    text = (DEPLOY / "Dockerfile").read_text()
    check = [sys.executable, *json.loads(re.search(r"^HEALTHCHECK .*\n  CMD (\[.+\])$", text, re.M)[1])[1:]]
    certificate = trustme.CA().issue_cert("stillwatch.example")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    tls = {"tls_certificate": str(tmp_path / "certificate.pem"), "tls_key": str(tmp_path / "key.pem")}
    live = Live(tmp_path, scheme=scheme, **(tls if scheme == "https" else {}))
    environment = os.environ | {f"STILLWATCH_SERVE_{name.upper()}": value for name, value in live.settings.items()}

    def healthy() -> bool:
        done = subprocess.run(check, env=environment, cwd=tmp_path, capture_output=True, check=False, timeout=60)
        return done.returncode == 0

    with live:
        assert healthy()
    assert not healthy()


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
