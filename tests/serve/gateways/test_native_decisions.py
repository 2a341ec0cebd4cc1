"""The native look-up and list: what each caller is told."""

from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serve.gateways.live import REASON, decided, until

from stillwatch.serve.access.roles import Role
from stillwatch.serve.gateways.look_up import PARAMETERS, _asked
from stillwatch.serve.service import LONGEST_ID, canonical


@pytest.fixture
def gateway(live):
    with live.client(Role.DECIDE) as client:
        yield client


@pytest.mark.parametrize(
    ("account", "measure"),
    [
        ("honest", "observe"), ("watched", "observe"), ("quiet", "withhold_reasoning"), ("slowed", "throttle"),
        ("asked", "step_up"), ("stopped", "block"),
    ],
)  # fmt: skip
def test_each_account_is_answered_its_measure_singly_and_in_a_batch(gateway, account, measure):
    single = gateway.get("/api/v1/decision", params={"account": account}).json()
    assert single["measure"] == measure
    batch = gateway.post("/api/v1/decisions/look-up", json={"asked": [{"account": account}, {"account": "honest"}]})
    assert [a["measure"] for a in batch.json()["answers"]] == [measure, "observe"]


def test_an_answer_says_what_the_customer_may_know_and_not_how_it_was_found(gateway):
    decision = gateway.get("/api/v1/decision", params={"account": "slowed"}).json()["decision"]
    assert decision["reason"] == REASON
    assert decision["requests_per_minute"] == 3
    assert decision["appeal"] == "/v1/appeals/slowed"
    assert not {"evidence", "probability", "campaign_id"} & decision.keys()


def test_a_key_is_found_with_its_account_and_an_address_without_one(live):
    live.decide(
        decided("k1", "block", kind="key", account="holder"),
        decided("192.0.2.7", "throttle", kind="address"),
    )
    with live.client() as client:

        def measure(**asked):
            return client.get("/api/v1/decision", params=asked).json()["measure"]

        assert measure(account="holder", key="k1") == "block"
        assert measure(account="other", key="k1") == "observe"
        assert measure(address="::ffff:192.0.2.7") == "throttle"
        assert measure(address="no address") == "observe"
        # Whom it knows has decisions of its own: a newcomer behind that address is not refused for it.
        assert measure(account="other", address="192.0.2.7") == "observe"
        asked = [{"account": "other", "address": "192.0.2.7"}, {"address": "192.0.2.7"}]
        batch = client.post("/api/v1/decisions/look-up", json={"asked": asked}).json()
        assert [a["measure"] for a in batch["answers"]] == ["observe", "throttle"]
        assert client.post("/api/v1/decisions/look-up", json={"asked": [{"key": "k1"}]}).status_code == 422


def test_a_change_is_served_without_a_restart(live):
    with live.client() as client:

        def measure():
            return client.get("/api/v1/decision", params={"account": "later"}).json()["measure"]

        assert measure() == "observe"
        live.decide(decided("later", "block"))
        assert measure() == "block"
        live.decide()
        assert measure() == "observe"


def test_what_has_expired_is_not_served(live):
    with live.client() as client:

        def measure():
            return client.get("/api/v1/decision", params={"account": "brief"}).json()["measure"]

        live.decide(decided("brief", "block", hours=3 / 3600))
        assert measure() == "block"
        until(lambda: measure() == "observe", what="its end")


def test_the_list_is_paged_filtered_and_of_the_callers_scope_only(live):
    live.decide(*(decided(f"{owner}/{n}", "block") for owner in ("red", "blue") for n in range(5)))
    with live.client(Role.ANALYST, scope="red/") as analyst:
        first = analyst.get("/api/v1/decisions", params={"limit": 3}).json()
        rest = analyst.get("/api/v1/decisions", params={"limit": 3, "after": first["next"]}).json()
        assert rest["next"] is None
        assert sorted(d["subject"] for d in first["decisions"] + rest["decisions"]) == [f"red/{n}" for n in range(5)]
        assert analyst.get("/api/v1/decisions", params={"account": "blue/1"}).json()["decisions"] == []
        assert len(analyst.get("/api/v1/decisions", params={"account": "red/1"}).json()["decisions"]) == 1


def test_another_tenants_account_is_answered_as_one_that_does_not_exist(live):
    live.decide(decided("blue/1", "block"), decided("192.0.2.7", "block", kind="address"))
    with live.client(scope="red/") as red, live.client(scope="blue/") as blue:
        asked = {"account": "blue/1", "address": "192.0.2.7"}
        theirs = red.get("/api/v1/decision", params=asked)
        nobodys = red.get("/api/v1/decision", params={"account": "blue/none"})
        assert theirs.json() == nobodys.json() == {"measure": "observe", "decision": None}
        # And an address tells a tenant nothing of what others did from it.
        place = red.get("/api/v1/decision", params={"address": "192.0.2.7"})
        assert place.json()["measure"] == "observe"
        assert blue.get("/api/v1/decision", params=asked).json()["measure"] == "block"


def test_dry_runs_are_listed_when_asked_for_and_never_answered(live):
    live.decide(decided("planned", "block", dry_run=True))
    with live.client(Role.ADMIN) as admin:
        assert admin.get("/api/v1/decision", params={"account": "planned"}).json()["measure"] == "observe"
        assert admin.get("/api/v1/decisions").json()["decisions"] == []
        planned = admin.get("/api/v1/decisions", params={"dry_run": True}).json()["decisions"]
        assert [(d["subject"], d["dry_run"]) for d in planned] == [("planned", True)]


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"account": ""}, {"account": "a" * 513}, [("account", "a"), ("account", "b")], {"key": "k1"},
        {"address": ""}, {"account": "", "address": "192.0.2.7"},
    ],
)  # fmt: skip
def test_a_look_up_that_names_nobody_is_refused(gateway, asked):
    answer = gateway.get("/api/v1/decision", params=asked)
    assert answer.status_code == 422
    assert answer.json()["error"]["type"] == "invalid_request"


def test_too_many_in_a_batch_are_refused(gateway):
    answer = gateway.post("/api/v1/decisions/look-up", json={"asked": [{"account": "a"}] * 1_001})
    assert answer.status_code == 422


def test_a_caller_needs_the_role_of_the_route(live):
    with live.client(Role.INGEST) as feeder:
        assert feeder.get("/api/v1/decision", params={"account": "stopped"}).status_code == 403
        assert feeder.get("/api/v1/decisions").status_code == 403
        assert feeder.post("/api/v1/decisions/look-up", json={"asked": [{"account": "a"}]}).status_code == 403


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text("acountkeydrs=&%+0f", max_size=60).map(str.encode))
def test_whatever_query_comes_it_names_one_account_or_address_or_is_refused(query):
    asked = _asked(query)
    if asked is not None:
        assert asked.keys() <= set(PARAMETERS)
        assert 0 < len(asked["account"]) <= LONGEST_ID if "account" in asked else asked["address"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(PARAMETERS), st.text(max_size=30)), st.text(min_size=1, max_size=30))
def test_what_is_asked_is_read_as_it_was_written(asked, account):
    asked["account"] = account
    assert _asked(urlencode(asked).encode()) == asked


@settings(deadline=None)
@given(st.ip_addresses() | st.text(max_size=80))
def test_an_address_has_one_writing(address):
    found = canonical(str(address))
    assert found is None or (canonical(found) == found and canonical(f" {found} ") == found)
