"""The running service among senders that mean it no good: each is let go, and others are answered meanwhile."""

import gzip
import socket
import ssl
import struct
import time
from contextlib import ExitStack

import httpx
import psutil
import pytest
import trustme
from tests.serve.gateways.live import Live, every

from stillwatch.serve.access.roles import Role

BODY_SECONDS = 1.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def served(tmp_path_factory, authority):
    """A service with TLS that takes traffic in."""
    folder = tmp_path_factory.mktemp("served")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    settings = {"tls_certificate": str(folder / "certificate.pem"), "tls_key": str(folder / "key.pem")}
    parts = '["ingest", "decisions"]'
    with Live(folder, every(), scheme="https", parts=parts, body_seconds=str(BODY_SECONDS), **settings) as live:
        yield live


@pytest.fixture
def trust(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def client(served, trust):
    with served.client(Role.ADMIN, verify=trust) as client:
        yield client


def connected(live: Live, trust: ssl.SSLContext | None, protocol: str = "http/1.1") -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", live.port), timeout=20)
    if trust is None:
        return plain
    trust.set_alpn_protocols([protocol])
    return trust.wrap_socket(plain, server_hostname="127.0.0.1")


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def fields(*pairs: tuple[bytes, bytes]) -> bytes:
    """Headers as literals that are not indexed (RFC 7541, section 6.2.2)."""
    return b"".join(b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in pairs)


def heads(token: str, path: bytes = b"/api/v1/decisions/look-up") -> bytes:
    return fields(
        (b":method", b"POST"), (b":scheme", b"https"), (b":path", path), (b":authority", b"127.0.0.1"),
        (b"x-api-key", token.encode()),
    )  # fmt: skip


def closed_after(connection: socket.socket, most: float = 40.0) -> float | None:
    """Seconds until the other side closes; None where it does not."""
    started = time.monotonic()
    connection.settimeout(most)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return None
    except OSError:
        pass
    return time.monotonic() - started


def test_a_slow_handshake_or_request_is_let_go_and_others_are_answered_meanwhile(served, trust, client):
    token = client.headers["authorization"].removeprefix("Bearer ")
    begun = {
        "nothing": (None, "", b""),
        "half a handshake": (None, "", b"\x16\x03\x01\x02\x00\x01"),
        "half of HTTP/1.1's headers": (trust, "http/1.1", b"GET /healthz HTTP/1.1\r\nhost:"),
        "half of HTTP/2's headers": (trust, "h2", PREFACE + frame(1, 0, 1, heads(token)[:40])),
    }
    with ExitStack() as stack:
        slow = {}
        for what, (context, protocol, sent) in begun.items():
            for _ in range(20):
                slow[what] = stack.enter_context(connected(served, context, protocol))
                slow[what].sendall(sent)
        started = time.monotonic()
        assert client.get("/api/v1/decision", params={"account": "stopped"}).json()["measure"] == "block"
        assert time.monotonic() - started < 2
        assert [what for what, connection in slow.items() if closed_after(connection) is None] == []


def test_a_body_that_trickles_in_over_http_2_is_cut_off(served, trust, client):
    token = client.headers["authorization"].removeprefix("Bearer ")
    with connected(served, trust, "h2") as slow:
        assert slow.selected_alpn_protocol() == "h2"
        slow.sendall(PREFACE + frame(1, 4, 1, heads(token)) + frame(0, 0, 1, b"{"))
        said = b""
        while b"too_slow" not in said:
            said += slow.recv(65536) or pytest.fail("closed without an answer")


def test_a_zip_bomb_is_refused_before_it_is_in_memory(served, client):
    bomb = gzip.compress(bytes(600 * 2**20), 6)
    assert len(bomb) < 2**20
    assert served.process is not None

    def memory() -> int:
        family = psutil.Process(served.process.pid).children(recursive=True)
        return max(child.memory_info().rss for child in family)

    before = memory()
    for _ in range(3):
        answer = client.post("/v1/exchanges", content=bomb, headers={"content-encoding": "gzip"})
        assert (answer.status_code, answer.json()["error"]["type"]) == (413, "too_large")
    assert memory() - before < 400 * 2**20
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/v1/exchanges", "/api/v1/verdicts"])
def test_sixteen_megabytes_without_a_key_hold_nobody_up(served, trust, path):
    body = b"[" + b"[]," * 5_000_000 + b"[]]"
    started = time.monotonic()
    answer = httpx.post(f"{served.url}{path}", content=body, verify=trust, timeout=20)
    assert answer.status_code == 401
    assert time.monotonic() - started < 3
