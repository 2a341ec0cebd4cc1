"""LiteLLM's table of requests in PostgreSQL, `LiteLLM_SpendLogs`, followed by `startTime`.

Rows come late: LiteLLM writes them in batches, and a request's row when it has ended, under the time when it began. So
each round reads again from some time before the newest row, and passes over what it has taken. The prompts are there
only with LiteLLM's `store_prompts_in_spend_logs`, and long ones cut in the middle.

Source: LiteLLM's schema.prisma and litellm/proxy/spend_tracking/spend_tracking_utils.py.
"""

from __future__ import annotations

import logging
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
import pg8000.native

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.serve.ingest.place import keep
from stillwatch.serve.ingest.sink import Sink
from stillwatch.serve.ingest.told import Told
from stillwatch.sources.lines import Record

log = logging.getLogger("stillwatch.watch")

SCHEMES = ("postgresql://", "postgres://")
TABLE = '"LiteLLM_SpendLogs"'
ROWS = 1_000
# Minutes. LiteLLM writes its batches within one; the rest is for requests that take long, and for proxies that lag.
OVERLAP = 15.0
_EPOCH = datetime(1970, 1, 1)

_PAGE = (
    f'SELECT * FROM {TABLE} WHERE ("startTime", request_id) > (CAST(:time AS timestamp), :id) '
    'ORDER BY "startTime", request_id LIMIT :most'
)


class SpendLogs:
    """Follows the table. state: the file that keeps how far it was read; overlap: minutes before its newest row that
    are read again, since a row that comes later than that is not met."""

    def __init__(self, url: str, state: Path, sink: Sink, overlap: float = OVERLAP) -> None:
        self._arguments = arguments(url)
        self._state = state
        self._sink = sink
        self._overlap = timedelta(minutes=overlap)
        self._newest = self._kept()
        # Rows that were taken, by id, and how many of them no round may do without.
        self._taken: dict[str, datetime] = {}
        self._recent = 0
        self._connection: pg8000.native.Connection | None = None
        self._ever = False

    def poll(self) -> int:
        """Take what is new; how many rows. What the database refuses is tried again at the next round."""
        try:
            connection = self._connection or self._connect()
            new = self._round(connection)
        except (pg8000.native.Error, OSError) as error:
            self._connection = None
            if not self._ever:
                raise EnvironmentFailure(f"{self._arguments['host']}: PostgreSQL: {_said(error)}") from error
            log.warning("PostgreSQL is out of reach; the table is read on when it answers")
            return 0
        self._ever = True
        return new

    def _connect(self) -> pg8000.native.Connection:
        self._connection = pg8000.native.Connection(**self._arguments)
        return self._connection

    def _round(self, connection: pg8000.native.Connection) -> int:
        """Read from the overlap to the end of the table, or until told to stop."""
        place, name, new = self._since(), "", 0
        while not self._sink.stopping():
            rows = connection.run(_PAGE, time=place, id=name, most=ROWS)
            names = [column["name"] for column in connection.columns or ()]
            page = [dict(zip(names, row, strict=True)) for row in rows]
            new += self._take([row for row in page if row["request_id"] not in self._taken])
            if len(page) < ROWS:
                break
            place, name = page[-1]["startTime"], page[-1]["request_id"]
        return new

    def _since(self) -> datetime:
        """Where a round begins: no row that it may meet is older."""
        return self._newest - self._overlap if self._newest > _EPOCH else _EPOCH

    def _take(self, rows: list[dict[str, Any]]) -> int:
        if not rows:
            return 0
        found = [Record(f"LiteLLM_SpendLogs {row['startTime']}", payload(row)) for row in rows]
        self._sink.take("litellm", found, Told())
        self._taken |= {row["request_id"]: row["startTime"] for row in rows}
        newest = max(row["startTime"] for row in rows)
        if newest > self._newest:
            self._newest = newest
            keep(self._state, {"newest": newest.isoformat()})
            self._forget()
        return len(rows)

    def _forget(self) -> None:
        """Let go of the rows that no round meets again, whenever there may be as many of them as of others."""
        if len(self._taken) > 2 * self._recent + ROWS:
            since = self._since()
            self._taken = {name: time for name, time in self._taken.items() if time >= since}
            self._recent = len(self._taken)

    def _kept(self) -> datetime:
        try:
            return datetime.fromisoformat(orjson.loads(self._state.read_bytes())["newest"])
        except FileNotFoundError:
            return _EPOCH
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{self._state}: damaged: remove it to read the table from its beginning") from error


def payload(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table as the payload that LiteLLM's loggers would have sent of the same request."""
    metadata, asked = _object(row.get("metadata")), _object(row.get("proxy_server_request"))
    messages = _parsed(row.get("messages"))
    start = row["startTime"]
    return {
        "id": row["request_id"],
        "trace_id": row.get("session_id"),
        "call_type": row.get("call_type"),
        "status": row.get("status") or metadata.get("status") or "success",
        "startTime": start.replace(tzinfo=UTC).isoformat() if isinstance(start, datetime) else start,
        "model": row.get("model"),
        "model_group": row.get("model_group"),
        "end_user": row.get("end_user"),
        "requester_ip_address": row.get("requester_ip_address"),
        "prompt_tokens": row.get("prompt_tokens"),
        "completion_tokens": row.get("completion_tokens"),
        "messages": messages if isinstance(messages, list) and messages else asked.get("messages"),
        "response": _parsed(row.get("response")) or None,
        "model_parameters": {name: value for name, value in asked.items() if name not in ("messages", "model")},
        "error_information": metadata.get("error_information"),
        "metadata": {
            **metadata,
            "user_api_key_hash": row.get("api_key"),
            "user_api_key_user_id": row.get("user") or metadata.get("user_api_key_user_id"),
        },
    }


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _object(value: Any) -> dict[str, Any]:
    parsed = _parsed(value)
    return parsed if isinstance(parsed, dict) else {}


def arguments(url: str) -> dict[str, Any]:
    """What the driver takes, from postgresql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?sslmode=MODE]; raises InputError.

    Without a password in it, PGPASSWORD's is used.
    """
    takes = "takes postgresql://USER@HOST:PORT/DATABASE?sslmode=disable|require|verify-full, and PGPASSWORD"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"a database's URL {takes}") from error
    asked = parse_qs(parts.query)
    mode = asked.pop("sslmode", ["disable"])[0]
    socket = asked.pop("host", [None])[0]
    if asked or mode not in ("disable", "require", "verify-full") or not parts.username:
        raise InputError(f"a database's URL {takes}")
    context: ssl.SSLContext | None = None
    if mode != "disable":
        context = ssl.create_default_context()
        if mode == "require":
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    given: dict[str, Any] = {
        "user": unquote(parts.username),
        "password": unquote(parts.password) if parts.password else os.environ.get("PGPASSWORD"),
        "host": parts.hostname or "localhost",
        "port": port or 5432,
        "database": parts.path.strip("/") or None,
        "ssl_context": context,
        "timeout": 60,
    }
    if socket is not None:
        given["unix_sock"] = str(Path(socket) / f".s.PGSQL.{port or 5432}")
    return given


def _said(error: Exception) -> str:
    """What the server says, which names no row."""
    first = error.args[0] if error.args else error
    return str(first.get("M", "refused")) if isinstance(first, dict) else str(first)
