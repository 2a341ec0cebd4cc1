"""Logs as JSON lines. What may stand in a line is a closed list: no prompt, key, address or account can get in.

A line of ours is a fixed sentence and the fields of `FIELDS`. Of another library's line only the library and the place
in its code are kept, since many are written out before they get here, and of an exception only its type and where it
was raised: messages quote what they fail on.
"""

from __future__ import annotations

import logging
import logging.config
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

NAME: Final = "stillwatch.serve"
log: Final = logging.getLogger(NAME)

# The fields of a line besides time, level and event: numbers, names of our own, and ids that we made.
FIELDS: Final = frozenset(
    {
        "address_and_port", "campaigns", "check", "decisions", "error", "exchanges", "method", "milliseconds", "part",
        "principal", "request", "route", "seconds", "segments", "server", "setting", "stages", "status", "version",
        "where", "whole",
    }
)  # fmt: skip
# Whose events are fixed sentences, and what stands for all other events.
OURS: Final = "stillwatch"
OTHERS: Final = "a library says something"


class Lines(logging.Formatter):
    """A record as one JSON line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": str(record.msg),
        }
        if record.name.partition(".")[0] != OURS:
            line |= {"event": OTHERS, "where": f"{record.filename}:{record.lineno}"}
        elif record.name == NAME:
            line |= {name: value for name, value in vars(record).items() if name in FIELDS}
        if record.exc_info and record.exc_info[1] is not None:
            line |= fault(record.exc_info[1])
        return orjson.dumps(line, default=str, option=orjson.OPT_SORT_KEYS).decode()


def fault(error: BaseException) -> dict[str, str]:
    """What of an exception may be logged: its type, and the place in the code that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
    return {"error": type(error).__name__, "where": where}


# As `logging.config.dictConfig` takes it, since the server configures logging in its worker by one.
CONFIGURATION: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": f"{__name__}.Lines"}},
    "handlers": {"error_stream": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "root": {"level": "WARNING", "handlers": ["error_stream"]},
    "loggers": {
        "_granian": {"level": "WARNING", "handlers": ["error_stream"], "propagate": False},
        "granian.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}


def set_up(level: str) -> None:
    """All logging of the process as JSON lines on its error stream; other libraries from warnings on."""
    logging.config.dictConfig(CONFIGURATION)
    log.setLevel(level.upper())


def say(event: str, level: int = logging.INFO, **fields: Any) -> None:
    """One line of ours; a field that is not in `FIELDS` is an error of the programmer."""
    if not fields.keys() <= FIELDS:
        raise ValueError(f"no field of a log line: {sorted(fields.keys() - FIELDS)}")
    log.log(level, event, extra=fields)
