"""What is wrong in the settings is refused at start, by the setting's name and with what it takes."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from tests.serve.gateways.live import free_port

from stillwatch.errors import InputError
from stillwatch.serve.settings import ServeSettings, load
from stillwatch.serve.spool import Key, Spool

WRONG = {
    "port": ("high", "takes a whole number from 1 to 65,535"),
    "cycle_seconds": ("0", "takes a whole number from 1 to 86,400"),
    "refresh_seconds": ("never", "takes a number from 0.05 to 60.0"),
    "parts": ('["everything"]', "takes a list of ingest, cycle, decisions"),
    "plain_http": ("perhaps", "takes true or false"),
    "log_level": ("loud", "takes one of debug, info, warning, error"),
    "account_header": ("X Account", "takes text"),
    "envoy_grpc": ("9480", "takes text"),
    "rate": ("0", "takes a whole number from 1 to 10,000,000"),
    "oidc_issuer": ("example.com", "takes text"),
}


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("STILLWATCH_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_refused_with_its_name_and_what_it_takes(name, monkeypatch):
    value, taken = WRONG[name]
    monkeypatch.setenv(f"STILLWATCH_SERVE_{name.upper()}", value)
    with pytest.raises(InputError) as refused:
        load()
    told = str(refused.value)
    assert told.startswith(f"STILLWATCH_SERVE_{name.upper()}: ")
    assert taken in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"tls_key": Path("key.pem")}, "missing; a certificate and its key are given together"),
        ({"host": "0.0.0.0"}, "--host: 0.0.0.0 is reached by others"),
        ({"envoy_grpc": "0.0.0.0:9480"}, "--envoy-grpc: 0.0.0.0 is reached by others"),
        ({"envoy_grpc": "[2001:db8::1]:9480"}, "--envoy-grpc: 2001:db8::1 is reached by others"),
        ({"envoy_grpc": "127.0.0.1:99999"}, "--envoy-grpc: takes an address and a port from 1 to 65,535"),
        ({"oidc_issuer": "https://id.example"}, "missing; an issuer and an audience are given together"),
        ({"oidc_issuer": "http://id.example", "oidc_audience": "a"}, "--oidc-issuer: takes an https address"),
        ({"accounts": Path("none.parquet")}, "accounts takes a file that exists"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(given, told):
    with pytest.raises(InputError, match=re.escape(told)):
        load(**given)


def test_a_proxy_with_tls_before_it_may_be_told(tmp_path):
    told = load(host="0.0.0.0", envoy_grpc="[::]:9480", plain_http=True)
    assert (told.host, told.grpc_address) == ("0.0.0.0", ("::", 9480))


def test_the_table_of_the_file_is_read_and_its_unknown_settings_refused(tmp_path):
    (tmp_path / "stillwatch.toml").write_text("threads = 2\n[serve]\nport = 9000\n")
    assert load().port == 9000
    assert load(port=9001).port == 9001
    (tmp_path / "stillwatch.toml").write_text("[serve]\nports = 9000\n")
    with pytest.raises(InputError, match=r"stillwatch\.toml: serve\.ports: no such setting"):
        load()
    (tmp_path / "stillwatch.toml").write_text("serve = 1\n")
    with pytest.raises(InputError, match="takes a table"):
        load()


def test_a_key_of_another_certificate_is_refused(tmp_path):
    authority = trustme.CA()
    one, other = authority.issue_cert("one.example"), authority.issue_cert("other.example")
    one.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    other.private_key_pem.write_to_path(tmp_path / "key.pem")
    with pytest.raises(InputError, match="tls_certificate and tls_key take a PEM certificate and the key that belongs"):
        load(tls_certificate=tmp_path / "certificate.pem", tls_key=tmp_path / "key.pem")


def test_a_secret_is_never_said_back(monkeypatch):
    monkeypatch.setenv("STILLWATCH_SERVE_STATE_URL", "postgresql://stillwatch:hunter2@db/state")
    assert "hunter2" not in repr(load())


def test_every_setting_says_what_it_takes():
    from stillwatch.serve.settings import takes

    assert all(takes(name) for name in ServeSettings.model_fields)


def test_a_variable_of_no_setting_is_refused(monkeypatch):
    monkeypatch.setenv("STILLWATCH_SERVE_OPEN_METRIC", "true")
    with pytest.raises(InputError, match="STILLWATCH_SERVE_OPEN_METRIC: no such setting"):
        load()


def started(folder: Path, **given: str) -> tuple[int, str]:
    """Status and error of the command."""
    environment = os.environ | {f"STILLWATCH_SERVE_{name.upper()}": value for name, value in given.items()}
    command = [sys.executable, "-m", "stillwatch.cli", "serve"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("given", "told", "status"),
    [
        ({"state_url": "mysql://x/y"}, "the state lives in SQLite (a path) or PostgreSQL", 2),
        ({"host": "192.0.2.1", "plain_http": "true"}, "192.0.2.1:8480: cannot listen there", 4),
        ({"open_metric": "true"}, "STILLWATCH_SERVE_OPEN_METRIC: no such setting", 2),
        ({"spool": "/proc/spool"}, "/proc/spool: spool takes a folder that can be written", 4),
    ],
)
def test_the_command_says_it_in_one_line_and_ends(tmp_path, given, told, status):
    ended, error = started(tmp_path, **given)
    assert ended == status
    assert told in error
    assert error.count("\n") == 1


def test_a_key_of_the_spool_that_others_read_or_that_is_another_is_refused_by_name(tmp_path):
    key = tmp_path / "key"
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    ended, error = started(tmp_path, spool_key_file=str(key))
    assert (ended, error.count("\n")) == (2, 1)
    assert "others than its owner can read the spool's key (spool_key_file)" in error
    key.chmod(0o600)
    spool = Spool(tmp_path / "stillwatch-data" / "spool", Key(bytes(range(32))))
    spool.append(b"frame").result()
    spool.close()
    ended, error = started(tmp_path, spool_key_file=str(key))
    assert (ended, error.count("\n")) == (2, 1)
    assert "written with another key of the spool: spool_key_file takes that one" in error


def test_a_port_that_is_taken_is_refused_by_the_settings_name(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended, error = started(tmp_path, port=str(free_port()), envoy_grpc=f"127.0.0.1:{port}")
        assert (ended, error.count("\n")) == (4, 1)
        assert f"127.0.0.1:{port}: cannot listen there" in error
        assert "envoy_grpc takes" in error
    ended, error = started(tmp_path, port=str(port), envoy_grpc=f"127.0.0.1:{port}")
    assert "envoy_grpc takes" in error
