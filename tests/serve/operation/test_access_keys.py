"""Keys: shown once, kept as digests, rotated and revoked while the service runs."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from stillwatch.serve.access.keys import KeyFile, KeyRing, new
from stillwatch.serve.access.roles import Principal, Role
from stillwatch.serve.commands import app
from stillwatch.serve.service import canonical, credential

ROLES = st.frozensets(st.sampled_from(list(Role)), min_size=1)


@given(roles=ROLES, scope=st.text(max_size=8))
def test_a_key_opens_what_it_was_made_for_and_no_change_of_it_opens_anything(roles, scope):
    token, kept = new("gateway", roles, scope)
    ring = KeyRing((kept,))
    assert ring.principal(token) == Principal(kept.id, roles, scope)
    assert token.split("_", 2)[2] not in kept.model_dump_json()
    for wrong in (token[:-1], token + "a", token.upper(), token.replace("stillwatch_", ""), "", kept.digest):
        assert ring.principal(wrong) is None


@given(st.text())
def test_no_text_is_taken_for_a_key(text):
    _, kept = new("gateway", frozenset({Role.DECIDE}))
    assert KeyRing((kept,)).principal(text) is None
    assert KeyRing((kept,)).principal(f"stillwatch_{kept.id}_{text}") is None


def test_an_expired_or_revoked_key_opens_nothing(tmp_path):
    file = KeyFile(tmp_path / "access.json")
    short, kept = new("short", frozenset({Role.DECIDE}), lives=timedelta(seconds=-1))
    file.add(kept)
    ended, kept = new("ended", frozenset({Role.DECIDE}))
    file.add(kept)
    assert file.ring().principal(short) is None
    assert file.ring().principal(ended) is not None
    file.end(kept.id)
    assert file.ring().principal(ended) is None


def test_what_is_kept_holds_no_key_and_only_its_owner_reads_it(tmp_path):
    file = KeyFile(tmp_path / "access.json")
    token, kept = new("gateway", frozenset({Role.DECIDE}))
    file.add(kept)
    assert (tmp_path / "access.json").stat().st_mode & 0o777 == 0o600
    assert token.split("_", 2)[2] not in (tmp_path / "access.json").read_text()
    assert [k["id"] for k in json.loads((tmp_path / "access.json").read_text())] == [kept.id]


@pytest.mark.parametrize("role", Role)
def test_an_admin_may_what_any_role_may_and_others_only_their_own(role):
    assert Principal("a", frozenset({Role.ADMIN})).may(role)
    assert not any(Principal("a", frozenset({role})).may(other) for other in Role if role not in (other, Role.ADMIN))


@given(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_a_scope_is_a_prefix(scope, rest, other):
    caller = Principal("a", frozenset(), scope)
    assert caller.sees(scope + rest)
    assert caller.sees(other) == other.startswith(scope)
    assert caller.sees(None) == (not scope)


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_commands_make_show_rotate_and_revoke(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = ("--folder", str(tmp_path / "service"))
    token = said("keys", "create", "nginx", "--role", "decide", "--scope", "acme/", "--days", "30", *folder).strip()
    file = KeyFile(tmp_path / "service" / "access.json")
    (kept,) = file.read()
    assert (kept.name, kept.roles, kept.scope) == ("nginx", {Role.DECIDE}, "acme/")
    assert kept.expires is not None
    assert timedelta(29) < kept.expires - datetime.now(UTC) <= timedelta(30)
    assert file.ring().principal(token) is not None

    rotated = said("keys", "rotate", kept.id, "--hours", "1", *folder).strip()
    assert file.ring().principal(token).roles == file.ring().principal(rotated).roles
    assert file.read()[0].expires - datetime.now(UTC) <= timedelta(hours=1)

    shown = said("keys", "list", *folder)
    assert kept.id in shown
    assert token not in shown
    said("keys", "revoke", kept.id, *folder)
    assert file.ring().principal(token) is None
    assert file.ring().principal(rotated) is not None


def test_a_role_that_there_is_not_and_a_key_that_there_is_not_are_refused(tmp_path):
    done = CliRunner().invoke(app, ["keys", "create", "x", "--role", "king", "--folder", str(tmp_path)])
    assert "takes ingest, decide, analyst, admin" in str(done.exception)
    done = CliRunner().invoke(app, ["keys", "revoke", "none", "--folder", str(tmp_path)])
    assert "no key of this id" in str(done.exception)


@pytest.mark.parametrize(
    ("headers", "own", "others"),
    [
        ([(b"x-stillwatch-key", b"a"), (b"authorization", b"Bearer b")], "a", "a"),
        ([(b"authorization", b"Bearer b")], None, "b"),
        ([(b"authorization", b"bearer  b")], None, "b"),
        ([(b"authorization", b"Basic b"), (b"x-api-key", b"c")], None, "c"),
        ([], None, None),
    ],
)
def test_where_a_key_is_looked_for(headers, own, others):
    assert credential(headers, True) == own
    assert credential(headers, False) == others


@pytest.mark.parametrize(
    ("said", "is_"),
    [
        ("192.0.2.1", "192.0.2.1"), (" 192.0.2.1 ", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"), ("192.0.2", None), ("localhost", None), ("", None),
    ],
)  # fmt: skip
def test_addresses_have_one_form(said, is_):
    assert canonical(said) == is_
