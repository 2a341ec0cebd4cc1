"""Cases and verdicts over HTTP: what an analyst sees, what an answer does, and who may."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, select
from tests.respond.databases import fresh
from tests.respond.respond_examples import AT
from tests.scan.scan_worlds import HAND, accounts, rows, write
from tests.serve.gateways.live import decided

from stillwatch.respond.answers import appeal
from stillwatch.respond.cycle import act_on, run_cycle
from stillwatch.respond.database import url_of
from stillwatch.respond.decide import NewCase
from stillwatch.respond.found import read_found
from stillwatch.respond.schema import AUDIT
from stillwatch.scan import Request, scan
from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.roles import Role
from stillwatch.serve.app import create_app
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.state import open_state
from stillwatch.settings import Settings


class Desk:
    """A service without its processes, its state, and clients of any role."""

    def __init__(self, folder, stack, state_url=None):
        self.settings = ServeSettings(folder=folder, state_url=state_url)
        self.state = open_state(self.settings)
        stack.callback(self.state.close)
        self._stack = stack

    def client(self, *roles, scope=""):
        token, kept = new("test", frozenset(roles or {Role.ANALYST}), scope)
        KeyFile(self.settings.keys_file).add(kept)
        headers = {"authorization": f"Bearer {token}"}
        self.name = kept.id
        return self._stack.enter_context(TestClient(create_app(self.settings, self.state), headers=headers))

    def open(self, *questions):
        with self.state.changing("tests", AT) as change:
            return [change.open_case(NewCase(*q)) for q in questions]


@pytest.fixture
def desk(tmp_path):
    with ExitStack() as stack:
        yield Desk(tmp_path, stack)


def contracted(account):
    return "contracted", "account", account, "A customer under contract is found.", "C-1"


def test_cases_are_listed_in_pages_the_oldest_first_and_closed_ones_when_asked_for(desk):
    made = desk.open(*(contracted(f"a{n}") for n in range(5)), ("over_cap", "campaign", "C-2", "Too many.", "C-2"))
    analyst = desk.client()
    first = analyst.get("/api/v1/cases", params={"limit": 4}).json()
    rest = analyst.get("/api/v1/cases", params={"limit": 4, "after": first["next"]}).json()
    listed = first["cases"] + rest["cases"]
    assert (sorted(c["case_id"] for c in listed), rest["next"]) == (sorted(made), None)
    assert {c["kind"]: c["outcomes"] for c in listed}["over_cap"] == ["act", "leave"]
    of_kind = analyst.get("/api/v1/cases", params={"kind": "over_cap"}).json()["cases"]
    assert [c["subject"] for c in of_kind] == ["C-2"]
    closed = analyst.post(f"/api/v1/cases/{made[-1]}/close", json={"outcome": "act", "why": "it is so"}).json()
    assert (closed["outcome"], closed["closed_by"]) == ("act", desk.name)
    assert made[-1] not in [c["case_id"] for c in analyst.get("/api/v1/cases").json()["cases"]]
    every = analyst.get("/api/v1/cases", params={"closed": True}).json()["cases"]
    assert made[-1] in [c["case_id"] for c in every]


def test_an_appeal_is_read_and_granted_and_what_stood_is_over(desk):
    with desk.state.changing("tests") as change:
        change.decide([(decided("a1", "block", decision_id="D-1"), True)])
    case_id = appeal(desk.state, "D-1", "We are a university.", who="support", at=decided("x", "block").created).case_id
    analyst = desk.client()
    shown = analyst.get(f"/api/v1/cases/{case_id}").json()
    assert (shown["kind"], shown["appeal"]) == ("appeal", "We are a university.")
    assert {(d["measure"], d["ended"] is None) for d in shown["decisions"]} == {("block", False), ("step_up", True)}
    answer = {"outcome": "granted", "why": "they showed their course"}
    done = analyst.post(f"/api/v1/cases/{case_id}/close", json=answer)
    assert done.status_code == 200
    assert all(d["ended"] for d in done.json()["decisions"])
    assert analyst.post(f"/api/v1/cases/{case_id}/close", json=answer).status_code == 409
    assert [v["subject"] for v in analyst.get("/api/v1/verdicts").json()["verdicts"]] == ["a1"]
    assert desk.state.verify()[1] is None


def test_a_contracted_customer_gets_the_measure_that_the_person_chose(desk):
    [case_id] = desk.open(contracted("a1"))
    analyst = desk.client()
    wrong = analyst.post(f"/api/v1/cases/{case_id}/close", json={"outcome": "granted", "why": "x"})
    assert (wrong.status_code, "throttle" in wrong.json()["error"]["message"]) == (422, True)
    assert analyst.post(f"/api/v1/cases/{case_id}/close", json={"outcome": "block", "why": "  "}).status_code == 422
    done = analyst.post(f"/api/v1/cases/{case_id}/close", json={"outcome": "throttle", "why": "called them"}).json()
    assert [(d["subject"], d["measure"], d["probability"]) for d in done["decisions"]] == [("a1", "throttle", 1.0)]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "cases"), ("GET", "cases/K-1"), ("POST", "cases/K-1/close"), ("GET", "verdicts"), ("POST", "verdicts")],
)
def test_only_analysts_see_and_answer(desk, method, path):
    for roles in ((Role.INGEST, Role.DECIDE),):
        assert desk.client(*roles).request(method, f"/api/v1/{path}", json={}).status_code == 403
    bare = desk.client()
    del bare.headers["authorization"]
    assert bare.request(method, f"/api/v1/{path}", json={}).status_code == 401


def test_another_tenants_case_is_answered_as_one_that_does_not_exist(desk):
    with desk.state.changing("tests") as change:
        change.decide([(decided("k1", "block", kind="key", account="red/2", decision_id="D-k"), True)])
    theirs, ours, campaigns = desk.open(
        contracted("blue/1"), contracted("red/1"), ("over_cap", "campaign", "C", "?", "C")
    )
    keys = appeal(desk.state, "D-k", "it is ours", who="support", at=decided("x", "block").created).case_id
    red = desk.client(scope="red/")
    assert sorted(c["case_id"] for c in red.get("/api/v1/cases").json()["cases"]) == sorted([ours, keys])
    nobodys = red.get("/api/v1/cases/K-none")
    for case_id in (theirs, campaigns):
        answer = red.post(f"/api/v1/cases/{case_id}/close", json={"outcome": "observe", "why": "mine"})
        assert (answer.status_code, answer.json()) == (404, nobodys.json())
        assert red.get(f"/api/v1/cases/{case_id}").json() == nobodys.json()
    assert all(c.closed is None for c in desk.state.cases(closed=True))


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A folder of findings with one campaign."""
    folder = tmp_path_factory.mktemp("judged")
    world = write(folder / "world", rows(), accounts())
    scan(Request((str(world),), folder / "findings"), Settings(threads=1))
    return folder / "findings"


@pytest.fixture
def finding(desk, judged, tmp_path):
    """The campaign that the service's newest findings name."""
    (tmp_path / "judged").mkdir()
    (tmp_path / "judged" / "findings").symlink_to(judged)
    [campaign] = read_found(judged).campaigns
    return campaign


def test_a_dismissed_campaign_is_let_go_and_the_verdict_stands_as_it_was_given(desk, finding):
    with desk.state.changing("jane", AT) as change:
        change.adopt("dry_run = false\n[caps]\nshare_of_accounts = 1.0\n", "tried")
    run_cycle(desk.state, read_found(desk.settings.findings_folder), decided("x", "block").created)
    analyst = desk.client()
    assert {d["subject"] for d in analyst.get("/api/v1/decisions").json()["decisions"]} >= set(HAND)
    said = {"subject": finding, "verdict": "explained", "rival": "evaluation", "why": "our own red team"}
    given = analyst.post("/api/v1/verdicts", json=said)
    assert given.status_code == 201
    assert {**given.json(), **said} == given.json()
    assert (given.json()["accounts"], given.json()["who"]) == (HAND, desk.name)
    assert list(desk.state.standing(AT)[1]) == []
    assert analyst.get("/api/v1/verdicts").json() == {"verdicts": [given.json()], "next": None}
    assert desk.state.verify()[1] is None


def test_who_looks_at_passages_stands_in_the_audit(desk, finding):
    entries = desk.state.verify()[0]
    analyst, name = desk.client(), desk.name
    told = analyst.get(f"/api/v1/campaigns/{finding}/passages").json()
    assert told["campaign_id"] == finding
    assert any("step by step" in p["text"] for p in told["passages"])
    assert desk.state.verify() == (entries + len(told["passages"]), None)
    with desk.state.engine.connect() as connection:
        looks = connection.execute(select(AUDIT.c.actor, AUDIT.c.subject).where(AUDIT.c.action == "look")).all()
    assert set(looks) == {(name, finding)}
    for client, campaign in ((desk.client(), "C-99"), (desk.client(scope="red/"), finding)):
        assert client.get(f"/api/v1/campaigns/{campaign}/passages").status_code == 404
    assert desk.client(Role.DECIDE).get(f"/api/v1/campaigns/{finding}/passages").status_code == 403
    assert desk.state.verify()[0] == entries + len(told["passages"])


def test_a_case_says_what_the_evidence_said(desk, judged):
    with desk.state.changing("jane", AT) as change:
        change.adopt("dry_run = false\n[caps]\nshare_of_accounts = 1.0\n", "tried")
    run_cycle(desk.state, read_found(judged), decided("x", "block").created)
    decision = next(d for d in desk.state.standing(AT)[1] if d.subject_kind == "account")
    case_id = appeal(desk.state, decision.decision_id, "it was not me", who="support", at=AT).case_id
    [*_, first] = desk.client().get(f"/api/v1/cases/{case_id}").json()["decisions"]
    assert [s["evidence_id"] for s in first["said"]] == first["evidence"]
    assert all(s["statement"] for s in first["said"])
    assert any(s["bits"] > 1 for s in first["said"])


def test_the_cap_is_a_share_of_all_accounts_where_only_what_came_last_was_judged(desk, judged):
    with desk.state.changing("jane", AT) as change:
        change.adopt("dry_run = false\n[caps]\nshare_of_accounts = 0.001\n", "tried")

    def decided_on(of_accounts):
        return act_on(
            desk.state, judged, datetime.now(UTC), Settings(), accounts=None, store=None, of_accounts=of_accounts
        ).plan.decisions

    assert decided_on(None) == ()
    assert {d.subject for d, _ in decided_on(100_000)} == set(HAND)


def test_what_is_known_of_what_came_last_alone_has_its_verdict(desk, judged, tmp_path):
    (tmp_path / "judged").mkdir()
    (tmp_path / "judged" / "findings-newest").symlink_to(judged)
    [campaign] = read_found(judged).campaigns
    given = desk.client().post("/api/v1/verdicts", json={"subject": campaign, "verdict": "dismissed", "why": "ours"})
    assert (given.status_code, given.json()["accounts"]) == (201, HAND)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"subject": "C-none"}, 404),
        ({"subject": "stranger-001"}, 404),
        ({"verdict": "explained"}, 422),
        ({"verdict": "explained", "rival": "the moon"}, 422),
        ({"rival": "evaluation"}, 422),
        ({"verdict": "guilty"}, 422),
        ({"why": " "}, 422),
        ({"by": "another"}, 422),
    ],
)
def test_a_verdict_that_means_nothing_is_refused(desk, finding, said, status):
    answer = desk.client().post(
        "/api/v1/verdicts", json={"subject": finding, "verdict": "dismissed", "why": "seen", **said}
    )
    assert answer.status_code == status
    assert desk.state.verdicts().num_rows == 0


def test_whoever_sees_some_accounts_speaks_of_those_alone(desk, finding):
    some = desk.client(scope="hand-0")
    said = {"verdict": "confirmed", "why": "seen"}
    for subject in (finding, "hand-1"):
        assert some.post("/api/v1/verdicts", json={"subject": subject, **said}).status_code == 404
    assert some.post("/api/v1/verdicts", json={"subject": HAND[0], **said}).status_code == 201
    assert desk.client().post("/api/v1/verdicts", json={"subject": finding, **said}).status_code == 201
    assert [v["subject"] for v in some.get("/api/v1/verdicts").json()["verdicts"]] == [HAND[0]]


def test_before_anything_was_judged_there_is_nothing_to_speak_of(desk):
    said = {"subject": "C-1", "verdict": "dismissed", "why": "seen"}
    assert desk.client().post("/api/v1/verdicts", json=said).status_code == 404


@pytest.fixture
def on_postgresql(tmp_path, postgresql):
    with ExitStack() as stack:
        yield Desk(tmp_path, stack, fresh(postgresql))


def test_a_nul_is_refused_wherever_people_write(on_postgresql):
    """PostgreSQL takes none in text, and would fail."""
    [case] = on_postgresql.open(contracted("a1"))
    with on_postgresql.state.changing("tests") as change:
        change.decide([(decided("a1", "block", decision_id="D-1"), True)])
    analyst = on_postgresql.client()
    verdict = {"subject": "C-1", "verdict": "dismissed", "why": "seen"}
    for path, said in (
        ("/v1/appeals/D-1", {"text": "a\0b"}),
        ("/v1/appeals/D-1%00", {"text": "we are a university"}),
        (f"/api/v1/cases/{case}/close", {"outcome": "block", "why": "a\0"}),
        (f"/api/v1/cases/{case}%00/close", {"outcome": "block", "why": "seen"}),
        ("/api/v1/verdicts", {**verdict, "subject": "\0"}),
        ("/api/v1/verdicts", {**verdict, "why": "\0"}),
        ("/api/v1/verdicts", {**verdict, "verdict": "explained", "rival": "\0"}),
    ):
        assert analyst.post(path, json=said).status_code == 422
    assert analyst.get(f"/api/v1/cases/{case}%00").status_code == 422
    assert analyst.get("/api/v1/cases", params={"after": "\0"}).status_code == 200
    assert analyst.post("/v1/appeals/D-1", json={"text": "we are a\nuniversity"}).status_code == 201


def test_a_database_out_of_reach_is_told_as_such(on_postgresql):
    [case] = on_postgresql.open(contracted("a1"))
    analyst = on_postgresql.client()
    assert analyst.get("/api/v1/cases").status_code == 200
    url = url_of(on_postgresql.settings.database)
    server = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {url.database} WITH (FORCE)")
    server.dispose()
    for answer in (
        analyst.get("/api/v1/cases"),
        analyst.get("/api/v1/verdicts"),
        analyst.post(f"/api/v1/cases/{case}/close", json={"outcome": "block", "why": "seen"}),
        analyst.post("/v1/appeals/D-1", json={"text": "no"}),
    ):
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "unavailable")
        assert url.database not in answer.text
