"""Debian's crowdsec-custom-bouncer with the recipe's own configuration, and the protocol that it does not use."""

import inspect
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests.serve.gateways.live import DEPLOY, Live, decided, needed, process, until

from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.gateways import crowdsec, decisions

PROGRAM = """#!/bin/sh
echo "$1 $2 $3" >> "$(dirname "$0")/called"
"""


def bouncer(folder: Path, live: Live):
    program = needed("crowdsec-custom-bouncer", "apt-get install crowdsec-custom-bouncer")
    called = folder / "act"
    called.write_text(PROGRAM)
    called.chmod(0o755)
    text = (DEPLOY / "gateways" / "crowdsec-custom-bouncer.yaml").read_text()
    for here, there in {
        "/usr/local/bin/stillwatch-address": str(called),
        "127.0.0.1:8480": f"127.0.0.1:{live.port}",
        "KEY-WITH-THE-ROLE-DECIDE": live.served_key(),
        "update_frequency: 10s": "update_frequency: 1s",
        "cache_retention_duration: 10s": "cache_retention_duration: 1s",
        "/var/run/": str(folder),
    }.items():
        assert here in text
        text = text.replace(here, there)
    configuration = folder / "bouncer.yaml"
    configuration.write_text(text)
    return process([program, "-c", str(configuration)], folder / "log")


def address(place: str, measure: str = "block", **fields):
    return decided(place, measure, kind="address", **fields)


def test_debians_bouncer_adds_what_stands_and_removes_what_is_lifted(live, tmp_path):
    live.decide(address("192.0.2.7"), address("2001:db8::7"), decided("acme", "block"))
    with bouncer(tmp_path, live):

        def called() -> list[str]:
            log = tmp_path / "called"
            return log.read_text().splitlines() if log.exists() else []

        until(lambda: len(called()) >= 2, what="two calls")
        assert {line.rpartition(" ")[0] for line in called()} == {"add 192.0.2.7", "add 2001:db8::7"}
        assert all(80_000 < int(line.rpartition(" ")[2]) <= 86_400 for line in called())
        live.decide(address("2001:db8::7"))
        until(lambda: any(line.startswith("del 192.0.2.7") for line in called()), what="the removal")
        assert not any(line.startswith("del 2001") for line in called())


@pytest.fixture
def asked(live):
    with httpx.Client(base_url=live.url, headers={"x-api-key": live.served_key()}, timeout=10) as client:
        yield lambda path, **params: client.get(path, params=params).json()


def test_measures_are_in_crowdsecs_words(live, asked):
    live.decide(
        address("192.0.2.1", "block"), address("192.0.2.2", "step_up"), address("192.0.2.3", "throttle"),
        address("192.0.2.4", "observe"), decided("acme", "block"), decided("k", "block", kind="key", account="acme"),
    )  # fmt: skip
    found = asked("/v1/decisions")
    assert {(d["scope"], d["value"], d["type"]) for d in found} == {
        ("Ip", "192.0.2.1", "ban"), ("Ip", "192.0.2.2", "captcha"), ("Ip", "192.0.2.3", "throttle"),
    }  # fmt: skip
    assert {d["origin"] for d in found} == {"stillwatch"}
    assert {d["value"] for d in asked("/v1/decisions", scopes="account,key")} == {"acme", "k"}
    assert [d["type"] for d in asked("/v1/decisions", ip="192.0.2.2")] == ["captcha"]
    assert {d["value"] for d in asked("/v1/decisions", range="192.0.2.0/30")} == {"192.0.2.1", "192.0.2.2", "192.0.2.3"}
    assert asked("/v1/decisions", ip="198.51.100.1") is None
    assert asked("/v1/decisions", ip="no address") is None
    assert [d["scope"] for d in asked("/v1/decisions", value="acme")] == ["account"]


def test_of_several_decisions_on_an_address_the_hardest_is_told(live, asked):
    live.decide(address("192.0.2.1", "throttle"), address("192.0.2.1", "block"))
    assert [d["type"] for d in asked("/v1/decisions")] == ["ban"]


def test_a_stream_tells_each_change_once_to_each_bouncer(live, asked):
    live.decide(address("192.0.2.1"))
    first = asked("/v1/decisions/stream", startup=True)
    assert [d["value"] for d in first["new"]] == ["192.0.2.1"]
    assert asked("/v1/decisions/stream") == {"new": None, "deleted": None}
    live.decide(address("192.0.2.2"))
    changed = asked("/v1/decisions/stream")
    assert [d["value"] for d in changed["new"]] == ["192.0.2.2"]
    assert [(d["value"], d["duration"]) for d in changed["deleted"]] == [("192.0.2.1", "-1s")]
    assert [d["value"] for d in asked("/v1/decisions/stream", startup=True)["new"]] == ["192.0.2.2"]


def test_what_was_lifted_while_the_service_was_down_is_told_after_it(tmp_path):
    live = Live(tmp_path, [address("192.0.2.9"), address("192.0.2.8")])
    asked = {"url": f"{live.url}/v1/decisions/stream", "headers": {"x-api-key": live.key(Role.DECIDE)}}
    with live:
        assert len(httpx.get(**asked, params={"startup": True}).json()["new"]) == 2
        live.stop()
        live.process = None
        live.decide(address("192.0.2.8"))
        live.start()
        assert [d["value"] for d in httpx.get(**asked).json()["deleted"]] == ["192.0.2.9"]
        assert httpx.get(**asked).json() == {"new": None, "deleted": None}


def test_what_may_be_long_is_sent_in_pieces_and_not_by_the_loop_that_answers_look_ups():
    for route in (crowdsec.decisions, crowdsec.stream, decisions.standing):
        assert not inspect.iscoroutinefunction(route)
    many = [decided(f"a{n}", "block") for n in range(2 * crowdsec.PIECE + 1)]
    pieces = list(crowdsec._array(many, datetime.now(UTC)))
    assert [d["value"] for d in json.loads(b"".join(pieces))] == [d.subject for d in many]
    assert [piece.count(b'"uuid"') for piece in pieces] == [crowdsec.PIECE, crowdsec.PIECE, 1, 0]


def test_a_pull_without_a_change_goes_through_nothing(tmp_path):
    pulls = crowdsec._Pulls(tmp_path / "bouncers.json")
    soon = decided("192.0.2.1", "block", kind="address", hours=1 / 3600)
    caller = Principal("bouncer", frozenset({Role.DECIDE}))
    asked = []

    def held():
        asked.append(True)
        return crowdsec.held([soon], caller, "ip")

    assert pulls.since("bouncer", 7, held, False) == ([soon], [])
    assert pulls.since("bouncer", 7, held, False) == ([], [])
    assert len(asked) == 1
    # Time is a change as well, and so is another version; who starts anew is told all.
    until(lambda: not soon.holds(datetime.now(UTC)), what="its end")
    assert pulls.since("bouncer", 7, held, False) == ([], [soon])
    assert pulls.since("bouncer", 8, held, False) == ([], [])
    assert pulls.since("bouncer", 8, held, True) == ([], [])
    assert len(asked) == 4


def test_usage_metrics_are_taken(live):
    body = {"remediation_components": [{"type": "crowdsec-custom-bouncer", "version": "1", "metrics": []}]}
    answer = httpx.post(f"{live.url}/v1/usage-metrics", json=body, headers={"x-api-key": live.served_key()})
    assert answer.status_code == 201


def test_a_scoped_bouncer_hears_of_its_own_accounts_only(live):
    live.decide(decided("red/1", "block"), decided("blue/1", "block"), address("192.0.2.1"))
    with live.client(Role.DECIDE, scope="red/") as red:
        found = red.get("/v1/decisions", params={"scopes": "ip,account"}).json()
        assert [d["value"] for d in found] == ["red/1"]
        assert red.get("/v1/decisions", params={"ip": "192.0.2.1"}).json() is None
