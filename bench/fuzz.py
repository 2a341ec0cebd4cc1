"""Requests made up from the OpenAPI document: `python -m bench.fuzz`, ten thousand against a service of its own.

Every route is sent what the document allows and what it forbids, with a key that may everything and without one. None
may be answered by a server error, without a key by anything but a refusal, or otherwise than the document says.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from stillwatch.serve.access.keys import KeyFile, new
from stillwatch.serve.access.roles import Role

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
# What anybody may ask.
OPEN = ("/healthz", "/readyz")
# Out of reach for now is an answer of these, not a fault.
NOT_READY = ("/readyz", "/forward-auth", "/forward-auth-nginx")


def fuzz(url: str, token: str, cases: int) -> Counter[int]:
    """Send so many cases a route, half of them without the key; the statuses that were answered."""
    with urllib.request.urlopen(f"{url}/openapi.json") as answer:
        document = json.load(answer)
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=url)
    answered: Counter[int] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        for headers in ({"x-stillwatch-key": token}, {}):
            _fuzz_one(operation, headers, -(-cases // 2), answered)
    return answered


def _fuzz_one(operation: Any, headers: dict[str, str], cases: int, answered: Counter[int]) -> None:
    modes = [operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=st.one_of(modes))
    def one(case: Any) -> None:
        sent = {name: value for name, value in (case.headers or {}).items() if name.lower() != "x-stillwatch-key"}
        case.headers = sent
        response = case.call(headers=headers, timeout=60)
        answered[response.status_code] += 1
        if response.status_code == 503 and operation.path in NOT_READY:
            return
        case.validate_response(response, checks=CHECKS)
        if not headers and operation.path not in OPEN:
            assert response.status_code >= 400, f"{operation.label} without a key: {response.status_code}"

    one()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="in all, or a few more")
    parser.add_argument("--port", type=int, default=18_480)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        token, kept = new("fuzz", frozenset({Role.ADMIN}))
        KeyFile(folder / "access.json").add(kept)
        (folder / "stillwatch.toml").write_text(
            f'[serve]\nfolder = "{folder}"\nport = {asked.port}\nparts = ["ingest", "decisions"]\nrate = 10000000\n'
        )
        with (folder / "log").open("wb") as log:
            service = subprocess.Popen([sys.executable, "-m", "stillwatch.cli", "serve"], cwd=folder, stderr=log)
        try:
            url = f"http://127.0.0.1:{asked.port}"
            routes = _routes(url)
            answered = fuzz(url, token, -(-asked.cases // routes))
        finally:
            service.terminate()
            service.wait(60)
    print(json.dumps({"cases": answered.total(), "routes": routes, "statuses": dict(sorted(answered.items()))}))


def _routes(url: str) -> int:
    """How many there are, once the service is up."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/openapi.json", timeout=2) as answer:
                return sum(len(methods) for methods in json.load(answer)["paths"].values())
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    sys.exit("the service did not come up in 300 s")


if __name__ == "__main__":
    main()
