"""Where each column comes from, as data: the parsers read by these tables, and the documentation prints them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from stillwatch.errors import InputError
from stillwatch.sources.lines import Record
from stillwatch.sources.rejects import Rejects
from stillwatch.tables import EXCHANGES


class From(NamedTuple):
    """One column and where it is taken from: the first of `paths` that is there and not empty.

    `made` marks columns that the parser computes from those places instead of copying them, as the note explains.
    """

    column: str
    paths: tuple[str, ...]
    note: str = ""
    made: bool = False


class LineFormat(Protocol):
    """A format of JSON lines: how it is told from others, where its columns come from, and how to read it."""

    NAME: str
    MAPPING: tuple[From, ...]

    def recognises(self, value: dict[str, Any]) -> bool:
        """Whether one JSON object is of this format."""

    def rows(self, records: Iterable[Record], chosen: Chosen, rejects: Rejects) -> Iterator[Record]:
        """Rows of exchanges columns, values as they came."""


@dataclass(frozen=True)
class Chosen:
    """The columns that a mapping file takes from elsewhere, by format; "" is for all formats."""

    paths: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)

    def into(self, row: dict[str, Any], name: str, lookup: Callable[[str], Any]) -> None:
        """Put the chosen columns of format `name` into a row: what the file names replaces the built-in place.

        A chosen column is empty where none of its places is there, since identifiers from two places do not mix; the
        built-in place can be named last in the list to have it tried as well.
        """
        for scope in ("", name):
            for column, paths in self.paths.get(scope, {}).items():
                row[column] = next((v for v in map(lookup, paths) if v is not None and v != ""), None)


def choose(path: Path | None) -> Chosen:
    """Read a mapping file (TOML); raises InputError.

    `column = "place"` or `column = ["place", "next place"]`, at the top for all formats or under `[litellm]`, `[otel]`
    or `[bedrock]`. A place is an attribute's name (OpenTelemetry) or a dotted path into the record.
    """
    if path is None:
        return Chosen()
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as failure:
        raise InputError(f"{path}: cannot read the mapping file: {failure.strerror}") from failure
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise InputError(f"{path}: the mapping file is not TOML: {' '.join(str(failure).split())}") from failure
    scopes: dict[str, dict[str, tuple[str, ...]]] = {"": {}}
    for key, value in content.items():
        if isinstance(value, dict):
            if key not in ("litellm", "otel", "bedrock"):
                raise InputError(f"{path}: [{key}] is no format with a mapping; use litellm, otel or bedrock")
            scopes[key] = {column: _places(path, column, places) for column, places in value.items()}
        else:
            scopes[""][key] = _places(path, key, value)
    return Chosen(scopes)


def _places(path: Path, column: str, value: Any) -> tuple[str, ...]:
    if column not in EXCHANGES.names:
        raise InputError(f"{path}: {column} is no column of exchanges; they are {', '.join(EXCHANGES.names)}")
    places = [value] if isinstance(value, str) else value
    if not isinstance(places, list) or not places or not all(isinstance(p, str) and p for p in places):
        raise InputError(f'{path}: {column} must be "a place" or a list of places')
    return tuple(places)


def at(value: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path of keys (and, in lists, numbers); None where the path leads nowhere."""
    for key in path:
        if type(value) is dict:  # as JSON parsers make them; half the cost of isinstance, on the busiest line here
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and len(key) < 9 and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


class Copier:
    """Copies the columns of a mapping that need no computing."""

    def __init__(self, mapping: Iterable[From]) -> None:
        self._plan = [(m.column, [tuple(p.split(".")) for p in m.paths]) for m in mapping if not m.made]

    def row(self, value: dict[str, Any]) -> dict[str, Any]:
        """The copied columns that are there."""
        row: dict[str, Any] = {}
        for column, paths in self._plan:
            for path in paths:
                found = value.get(path[0]) if len(path) == 1 else at(value, path)
                if found is not None and found != "":
                    row[column] = found
                    break
        return row


def from_json(value: dict[str, Any]) -> Callable[[str], Any]:
    """Look places up as dotted paths into one JSON object."""
    return lambda place: at(value, tuple(place.split(".")))


def tool_names(tools: Any) -> list[str] | None:
    """Names of the tools offered, as the OpenAI, Anthropic and Bedrock request bodies list them."""
    if not isinstance(tools, list):
        return None
    names = []
    for tool in tools:
        if not isinstance(tool, dict):
            continue
        inner = next((tool[k] for k in ("function", "toolSpec") if isinstance(tool.get(k), dict)), tool)
        name = inner.get("name") or tool.get("type")
        if isinstance(name, str):
            names.append(name)
    return names or None


def truth(value: Any) -> bool | None:
    """Whether something was asked for: a flag, or a count of it; None where the value says neither."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value > 0
    return None
