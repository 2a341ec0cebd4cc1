"""The service asks nobody on the network: taking in, judging, answering and stopping."""

import os
import subprocess
import sys

import pytest
from tests.scan.scan_worlds import rows
from tests.serve.gateways.live import Live, until
from tests.serve.ingest.intake_service import ndjson

from stillwatch.serve.access.roles import Role

# Imported by every interpreter of the service before anything else. Python's own sockets; a library in another language
# would go around it.
REFUSING = """
import os, socket
told = os.environ["ASKED"]

def note(what):
    with open(told, "a") as file:
        file.write(f"{what}\\n")

def here(host):
    return host in (None, "", b"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::")

def refusing(call, host_of):
    def asked(*given, **named):
        host = host_of(*given)
        if not here(host):
            note(f"asked {host}")
            raise OSError("no network")
        return call(*given, **named)
    return asked

def at(socket_, *given):
    return given[-1][0] if isinstance(given[-1], tuple) else None

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refusing(getattr(socket.socket, name), at))
socket.getaddrinfo = refusing(socket.getaddrinfo, lambda host, *_: host)
for name in ("gethostbyname", "gethostbyaddr", "gethostbyname_ex"):
    setattr(socket, name, refusing(getattr(socket, name), lambda host: host))
note(f"begun {os.getpid()}")
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """What processes that begin from now on asked on the network, and which there were."""
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "sitecustomize.py").write_text(REFUSING)
    told = tmp_path / "asked"
    monkeypatch.setenv("ASKED", str(told))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "first"), os.environ.get("PYTHONPATH", "")]))
    return lambda: told.read_text().splitlines()


def test_whoever_asked_would_be_seen(asked):
    asking = "import socket; socket.create_connection(('192.0.2.1', 9))"
    ended = subprocess.run([sys.executable, "-c", asking], capture_output=True, check=False)
    assert ended.returncode == 1
    assert asked()[1:] == ["asked 192.0.2.1"]


def test_a_service_asks_nobody_on_the_network(tmp_path, asked):
    public = [row | {"ip": f"52.95.110.{1 + i % 200}", "time": row["time"].isoformat()} for i, row in enumerate(rows())]
    with Live(tmp_path / "live", parts='["ingest", "cycle", "decisions"]', cycle_seconds="1") as live:
        with live.client(Role.ADMIN) as http:
            assert http.post("/v1/exchanges", content=ndjson(*public[:1_000])).status_code == 200
            until(lambda: "judged" in [line["event"] for line in live.lines()], 120, "a judgement")
            assert http.get("/api/v1/decision", params={"account": "a", "address": "52.95.110.7"}).status_code == 200
            assert http.get("/api/v1/decisions").status_code == 200
        assert live.stop() == 0
    assert [line for line in asked() if not line.startswith("begun")] == []
    assert len(asked()) >= 3
