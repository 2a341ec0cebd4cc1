"""People's tokens, TLS, and what becomes of requests and processes when the service stops."""

import base64
import hmac
import json
import os
import signal
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import psutil
import pytest
import trustme
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from tests.serve.gateways.live import Live, every, until

AUDIENCE = "stillwatch"


class Issuer(ThreadingHTTPServer):
    """An OpenID Connect issuer: its discovery document and its keys."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
        self.asked = 0

    def token(self, key=None, algorithm="RS256", **claims) -> str:
        key = key or self.key
        every = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ana",
            "exp": int(time.time()) + 600,
            "roles": ["analyst"],
            "accounts": "acme/",
            **claims,
        }
        header = {"alg": algorithm, "kid": key.kid or "first"}
        return jwt.encode(header, {k: v for k, v in every.items() if v is not None}, key, algorithms=[algorithm])


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked += 1
        documents = {
            "/.well-known/openid-configuration": {"issuer": self.server.url, "jwks_uri": f"{self.server.url}/keys"},
            "/keys": KeySet([self.server.key]).as_dict(private=False),
        }
        body = json.dumps(documents[self.path]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to the terminal."""


@pytest.fixture(scope="module")
def issuer():
    server = Issuer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, issuer, authority):
    """A service with TLS, and people."""
    folder = tmp_path_factory.mktemp("guarded")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    settings = {
        "tls_certificate": str(folder / "certificate.pem"),
        "tls_key": str(folder / "key.pem"),
        "oidc_issuer": issuer.url,
        "oidc_audience": AUDIENCE,
        "oidc_scope_claim": "accounts",
    }
    with Live(folder, every(), scheme="https", **settings) as live:
        yield live


@pytest.fixture
def listed(guarded, authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def status(token: str) -> int:
        headers = {"authorization": f"Bearer {token}"}
        return httpx.get(f"{guarded.url}/api/v1/decisions", headers=headers, verify=context, timeout=30).status_code

    return status


def test_a_person_with_the_role_is_let_in(issuer, listed):
    assert listed(issuer.token()) == 200
    assert listed(issuer.token(roles="profile stillwatch-analyst")) == 200


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"roles": ["decide"]}, 403),
        ({"roles": None}, 403),
        ({"roles": {"analyst": True}}, 403),
        ({"aud": "another"}, 401),
        ({"iss": "https://another.example"}, 401),
        ({"exp": 1}, 401),
        ({"exp": None}, 401),
        ({"sub": None}, 401),
        ({"accounts": None}, 401),
        ({"accounts": 7}, 401),
    ],
)
def test_a_token_that_is_not_for_this_is_refused(issuer, listed, claims, status):
    assert listed(issuer.token(**claims)) == status


def test_a_token_that_another_signed_or_nobody_is_refused(issuer, listed):
    stranger = RSAKey.generate_key(2048, {"kid": "first"})
    assert listed(issuer.token(stranger)) == 401
    # With an HMAC the published key would be the secret.
    head, body, _ = issuer.token().split(".")
    symmetric = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"first"}').decode().rstrip("=")
    forged = f"{symmetric}.{body}"
    mac = hmac.digest(issuer.key.as_pem(private=False), forged.encode(), "sha256")
    assert listed(f"{forged}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}") == 401
    assert listed(f"{head}.{body}.") == 401
    none = "eyJhbGciOiJub25lIn0"
    assert listed(f"{none}.{body}.") == 401
    assert listed("a.b.c") == 401
    assert listed("a" * 20_000) == 401


def test_made_up_key_ids_do_not_make_the_service_ask_the_issuer_each_time(issuer, listed):
    listed(issuer.token())
    before = issuer.asked
    for number in range(20):
        assert listed(issuer.token(ECKey.generate_key("P-256", {"kid": f"k{number}"}), "ES256")) == 401
    assert issuer.asked - before <= 4


def test_without_tls_nothing_is_answered(guarded):
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{guarded.port}/healthz", timeout=10)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", guarded.port), timeout=10) as plain:
        old.wrap_socket(plain)


@contextmanager
def half_sent(live: Live, token: str):
    """A request whose body is not whole yet."""
    body = b'{"asked": [{"account": "stopped"}]}'
    head = (
        f"POST /api/v1/decisions/look-up HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", live.port), timeout=30) as connection:
        connection.sendall(head.encode() + body[:10])
        time.sleep(0.5)
        yield lambda: (connection.sendall(body[10:]), connection.recv(65536))[1]


def test_what_is_under_way_is_answered_before_the_service_stops(tmp_path):
    with Live(tmp_path, every()) as live:
        token = live.served_key()
        with half_sent(live, token) as finish:
            assert live.process is not None
            live.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            answer = finish()
        assert b" 200 " in answer.split(b"\r\n")[0]
        assert b'"block"' in answer
        assert live.process.wait(30) == 0


def test_nothing_outlives_a_service_that_is_killed_and_it_starts_again(tmp_path):
    with Live(tmp_path, every()) as live:
        assert live.process is not None
        family = [live.process.pid, *(child.pid for child in psutil.Process(live.process.pid).children(recursive=True))]
        assert len(family) >= 2
        live.stop(signal.SIGKILL)
        until(lambda: not any(psutil.pid_exists(pid) for pid in family[1:]), what="the worker's end")
        live.process = None
        live.start()
        with live.client() as client:
            assert client.get("/api/v1/decision", params={"account": "stopped"}).json()["measure"] == "block"


def test_a_worker_that_dies_is_started_anew(tmp_path):
    with Live(tmp_path, every()) as live:
        assert live.process is not None
        (worker,) = [
            c for c in psutil.Process(live.process.pid).children() if "resource_tracker" not in str(c.cmdline())
        ]
        os.kill(worker.pid, signal.SIGKILL)
        until(lambda: live._up() and not psutil.pid_exists(worker.pid), 120, "a new worker")
