"""The world and the result written by hand, on disk."""

from pathlib import Path

import labelled
import pytest


@pytest.fixture
def world(tmp_path) -> Path:
    return labelled.world(tmp_path / "world")


@pytest.fixture
def result(tmp_path) -> Path:
    return labelled.result(tmp_path / "result")
