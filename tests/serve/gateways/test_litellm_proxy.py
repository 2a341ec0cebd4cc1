"""LiteLLM's own proxy, with the recipe's own configuration, before a stand-in model."""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.serve.gateways.live import DEPLOY, REASON, Live, answers, every, free_port, process, until

# LiteLLM pins hundreds of packages that ours may not be held to: it gets an environment of its own, kept between runs.
LITELLM = "litellm[proxy]==1.106.2"
ACCOUNTS = ("honest", "quiet", "slowed", "asked", "stopped")


@pytest.fixture(scope="module")
def litellm() -> Path:
    uv = shutil.which("uv") or shutil.which("uv", path=".tools/bin")
    if uv is None:
        pytest.skip("uv is not here to install LiteLLM's proxy: pip install uv")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "stillwatch-tests"
    environment = cache / LITELLM.replace("[proxy]==", "-")
    program = environment / "bin" / "litellm"
    if not (environment / "installed").exists():
        for command in (
            [uv, "venv", "--clear", "--quiet", str(environment), "--python", "3.11"],
            [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(environment), LITELLM],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{LITELLM} cannot be installed: {done.stderr.strip()[:200]}")
        (environment / "installed").touch()
    return program


@contextmanager
def proxy(program: Path, folder: Path, stillwatch: int, model: int, key: str, *, lets_through: bool = True):
    port = free_port()
    text = (DEPLOY / "litellm" / "config.yaml").read_text()
    for here, there in {
        "127.0.0.1:8480": f"127.0.0.1:{stillwatch}",
        "127.0.0.1:8000": f"127.0.0.1:{model}",
        "KEY-WITH-THE-ROLE-DECIDE": key,
        "unreachable_fallback: fail_open": f"unreachable_fallback: {'fail_open' if lets_through else 'fail_closed'}",
    }.items():
        assert here in text
        text = text.replace(here, there)
    (folder / "config.yaml").write_text(text)
    shutil.copy(DEPLOY / "litellm" / "stillwatch_litellm.py", folder)
    accounts = {hashlib.sha256(f"sk-{a}".encode()).hexdigest(): a for a in ACCOUNTS}
    (folder / "accounts.json").write_text(json.dumps(accounts))
    environment = os.environ | {
        "STILLWATCH_URL": f"http://127.0.0.1:{stillwatch}",
        "STILLWATCH_KEY": key,
        "STILLWATCH_ACCOUNTS": str(folder / "accounts.json"),
        "STILLWATCH_UNREACHABLE": "pass" if lets_through else "refuse",
        "LITELLM_MASTER_KEY": f"sk-{secrets.token_hex(32)}",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONUNBUFFERED": "1",
    }
    command = [str(program), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    with process(command, folder / "log", cwd=folder, env=environment) as running:

        def up() -> bool:
            assert running.poll() is None, (folder / "log").read_text()
            return answers(f"http://127.0.0.1:{port}/health/liveliness")

        until(up, 240, "LiteLLM's proxy")
        yield httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)


def ask(client: httpx.Client, account: str, **fields) -> httpx.Response:
    body = {"model": "stand-in", "messages": [{"role": "user", "content": f"Hello from {account}"}], **fields}
    return client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer sk-{account}"})


def test_blocked_throttled_stepped_up_withheld_and_let_through(litellm, reached, tmp_path):
    with (
        Live(tmp_path / "live", every()) as live,
        proxy(litellm, tmp_path, live.port, reached[0], live.served_key()) as client,
    ):
        through = ask(client, "honest", reasoning_effort="high")
        assert through.status_code == 200
        assert through.json()["choices"][0]["message"]["reasoning_content"] == "step by step"
        assert json.loads(reached[1][-1][2])["reasoning_effort"] == "high"

        refused = ask(client, "stopped")
        assert refused.status_code == 400
        assert f"{REASON} Appeal: /v1/appeals/stopped" in refused.text
        assert ask(client, "asked").status_code == 400
        assert not any(b"stopped" in body or b"asked" in body for _, _, body in reached[1])

        quiet = ask(client, "quiet", reasoning_effort="high", logprobs=True)
        assert quiet.status_code == 200
        assert quiet.json()["choices"][0]["message"].get("reasoning_content") is None
        assert not {"reasoning_effort", "logprobs"} & json.loads(reached[1][-1][2]).keys()

        assert [ask(client, "slowed").status_code for _ in range(4)] == [200, 200, 200, 429]
        assert ask(client, "nobody").status_code == 401
        # LiteLLM sends the prompts along; none of them may be anywhere in the service's log.
        assert "Hello from" not in live.log.read_text()

        # Out of reach, requests pass: so says the recipe.
        live.stop()
        assert ask(client, "stopped").status_code == 200


def test_out_of_reach_means_refused_where_the_recipe_says_so(litellm, reached, tmp_path):
    with proxy(litellm, tmp_path, free_port(), reached[0], "no key", lets_through=False) as client:
        assert ask(client, "honest").status_code == 503
        assert not [path for path, _, _ in reached[1] if "completions" in path]
