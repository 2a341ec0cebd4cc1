"""Scans that several tests look at, each made once."""

from __future__ import annotations

import pytest
from scan_results import CAPTURE, scanned
from scan_worlds import accounts, rows, write


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """One hand among strangers."""
    folder = tmp_path_factory.mktemp("small")
    return scanned(write(folder / "world", rows(), accounts()), folder / "out")


@pytest.fixture(scope="session")
def innocent(tmp_path_factory):
    """The strangers alone."""
    folder = tmp_path_factory.mktemp("innocent")
    return scanned(write(folder / "world", rows(hand=False), accounts(hand=False)), folder / "out")


@pytest.fixture(scope="session")
def capture(tmp_path_factory):
    """A real proxy's log."""
    log = CAPTURE / "standard_logging_payload.jsonl.gz"
    if not log.exists():
        pytest.skip("no capture beside the project")
    return scanned(log, tmp_path_factory.mktemp("capture") / "out")
