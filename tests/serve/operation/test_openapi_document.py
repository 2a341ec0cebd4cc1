"""The OpenAPI document, and requests made up from it: nothing that can be sent is a server error."""

import pytest
from tests.serve.gateways.live import Live, every
from tests.serve.ingest.intake_service import NothingDecided

from bench.fuzz import fuzz
from stillwatch.serve.access.roles import Role
from stillwatch.serve.app import create_app
from stillwatch.serve.settings import ServeSettings

# So many a route here, some two hundred in all; `python -m bench.fuzz` sends ten thousand.
CASES = 12


@pytest.fixture(scope="module")
def documented(tmp_path_factory):
    from stillwatch.serve.ingest.part import ingest

    return create_app(ServeSettings(folder=tmp_path_factory.mktemp("none")), NothingDecided(), ingest).api.openapi()


def test_every_route_is_in_the_document(documented):
    assert {
        "/api/v1/decision", "/api/v1/decisions", "/api/v1/decisions/look-up", "/v1/appeals/{decision_id}",
        "/beta/litellm_basic_guardrail_api", "/v1/decisions", "/v1/decisions/stream", "/v1/usage-metrics",
        "/v1/traces", "/v1/logs", "/v1/exchanges", "/healthz", "/readyz", "/metrics", "/forward-auth",
    } <= documented["paths"].keys()  # fmt: skip
    for path, methods in documented["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), f"{method} {path} has no summary"
            assert operation["responses"], f"{method} {path} answers nothing"


def test_a_part_that_is_off_is_not_in_it(tmp_path):
    feeding = create_app(ServeSettings(folder=tmp_path, parts=("ingest",)), NothingDecided()).api.openapi()
    assert not any("decision" in path or "forward" in path for path in feeding["paths"])


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Live(tmp_path_factory.mktemp("fuzzed"), every(), parts='["decisions", "ingest"]', rate="1000000") as live:
        yield live


def test_nothing_that_can_be_sent_is_a_server_error(service):
    answered = fuzz(service.url, service.key_now(Role.ADMIN), CASES)
    assert answered.total() > 100
    assert {200, 401, 422} <= answered.keys()
    assert not [line for line in service.lines() if line["event"] == "a request failed"]
