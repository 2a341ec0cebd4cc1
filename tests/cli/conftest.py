"""The command line, called in this process, and a little traffic."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from ended import Ended

from stillwatch import cli


@pytest.fixture
def stillwatch(monkeypatch, capsys, tmp_path):
    """Run `stillwatch` with arguments, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["stillwatch", *map(str, arguments)])
        status = cli.run()
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    return call


@pytest.fixture
def traffic(tmp_path) -> Path:
    """Three hundred ordinary exchanges."""
    records = [
        {
            "exchange_id": f"e{i}",
            "time": f"2026-02-02T{i % 24:02}:{i % 60:02}:00Z",
            "account_id": f"a{i % 7}",
            "prompt": f"what is {i}",
        }
        for i in range(300)
    ]
    path = tmp_path / "in" / "traffic.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path
