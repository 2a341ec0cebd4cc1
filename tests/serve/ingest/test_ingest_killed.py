"""Killed at random moments, the service and the draining process lose nothing that was acknowledged.

The bench does the same 200 times: `python -m bench.ingest --kills 200`.
"""

import socket

from bench.ingest import killed


def test_what_was_acknowledged_is_in_the_store_once_after_five_kills(tmp_path, capfd):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert killed(tmp_path / "data", 5, port, seed=20)
    told = capfd.readouterr().out
    assert " acknowledged" in told
    assert not told.startswith("0 acknowledged")
