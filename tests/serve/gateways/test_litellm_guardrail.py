"""LiteLLM's generic guardrail API, question by question."""

import pytest
from tests.serve.gateways.live import REASON

PATH = "/beta/litellm_basic_guardrail_api"


def question(account: str, **fields) -> dict:
    """As litellm 1.106 asks it."""
    return {
        "input_type": "request",
        "litellm_call_id": "c1",
        "litellm_trace_id": "t1",
        "structured_messages": [{"role": "user", "content": "a private matter"}],
        "images": None,
        "tools": None,
        "texts": ["a private matter"],
        "request_data": {"user_api_key_user_id": account, "user_api_key_hash": "h1"},
        "request_headers": {"Host": "gateway", "Authorization": "[present]"},
        "litellm_version": "1.106.2",
        "additional_provider_specific_params": {},
        "tool_calls": None,
        "model": "stand-in",
        **fields,
    }


@pytest.fixture
def ask(live):
    with live.client() as client:
        yield lambda body: client.post(PATH, json=body)


@pytest.mark.parametrize(("account", "action"), [("honest", "NONE"), ("quiet", "NONE"), ("watched", "NONE")])
def test_who_may_pass_passes(ask, account, action):
    assert ask(question(account)).json() == {"action": action, "blocked_reason": None}


@pytest.mark.parametrize("account", ["stopped", "asked"])
def test_who_may_not_is_told_why_and_how_to_appeal(ask, account):
    assert ask(question(account)).json() == {
        "action": "BLOCKED",
        "blocked_reason": f"{REASON} Appeal: /v1/appeals/{account}",
    }


def test_a_throttle_is_counted_here_unless_the_proxy_counts_it(ask):
    leave = {"additional_provider_specific_params": {"count_throttle": False}}
    assert {ask(question("slowed", **leave)).json()["action"] for _ in range(9)} == {"NONE"}
    assert [ask(question("slowed")).json()["action"] for _ in range(4)] == ["NONE", "NONE", "NONE", "BLOCKED"]


def test_without_a_user_the_key_is_the_account_as_in_litellms_logs(ask):
    assert ask(question("", request_data={"user_api_key_hash": "stopped"})).json()["action"] == "BLOCKED"


def test_a_response_is_not_judged_again(ask):
    assert ask(question("stopped", input_type="response")).json()["action"] == "NONE"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"request_data": 7}', b'{"request_data": {"user_api_key_hash": {}}}']
)
def test_what_is_no_question_is_refused_without_being_quoted(live, body):
    with live.client() as client:
        answer = client.post(PATH, content=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["type"] == "invalid_request"
