"""The page of commands, from the command line's own description of itself."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal, get_args, get_origin

import typer.main

from stillwatch import errors
from stillwatch.cli import app
from tools.reference.markdown import NONE, code, sentence, table

_EXIT = (
    (errors.DONE, "done; of `scan`: nothing found"),
    (errors.CAMPAIGNS_FOUND, "`scan` only: done, campaigns found"),
    (errors.UNUSABLE_INPUT, "nothing usable in what was given, or a command that was misspelt"),
    (errors.ENVIRONMENT, "the environment failed: disk, permission, memory"),
    (errors.INTERRUPTED, "interrupted"),
)


def commands() -> dict[str, Any]:
    """Every command by name. Typed loosely, since typer brings a click of its own."""
    return _within(typer.main.get_command(app), "")


def _within(group: Any, before: str) -> dict[str, Any]:
    """The commands of a group under their whole names; a group is one itself where it does something by itself."""
    found = {}
    for name, command in group.commands.items():
        if command.hidden:
            continue
        inner = getattr(command, "commands", None)
        if inner is None or command.invoke_without_command:
            found[before + name] = command
        if inner is not None:
            found |= _within(command, f"{before}{name} ")
    return found


def parameters(command: Any) -> list[Any]:
    """Its arguments and options that are shown."""
    return [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]


def spelt(parameter: Any) -> str:
    """How it is written on the command line."""
    if parameter.param_type_name == "argument":
        name = str(parameter.metavar or parameter.name).upper()
        return name + ("..." if parameter.nargs == -1 and not name.endswith("...") else "")
    return ", ".join([*parameter.opts, *parameter.secondary_opts])


def kind(parameter: Any) -> str:
    """The values it takes."""
    if getattr(parameter, "is_flag", False):
        return "nothing"
    annotation = parameter.type_descriptor.annotation
    inner = next(iter(get_args(annotation)), annotation)
    if get_origin(annotation) is Literal:
        return " or ".join(code(str(a)) for a in get_args(annotation))
    if isinstance(inner, type) and issubclass(inner, Enum):
        return " or ".join(code(str(member.value)) for member in inner)
    return {"str": "text", "int": "number", "float": "number"}.get(inner.__name__, str(inner.__name__).lower())


def takes(parameter: Any) -> str:
    """The values it takes, and whether it may be given again."""
    return kind(parameter) + (", may be repeated" if getattr(parameter, "multiple", False) else "")


def default(parameter: Any) -> str:
    """Its default, where it has one that is worth saying."""
    if parameter.required:
        return "required"
    value = parameter.default
    if value is None or value is False or callable(value) or value in ((), []) or "UNSET" in str(value).upper():
        return NONE
    return code(str(getattr(value, "value", value)))


def usage(name: str, command: Any) -> str:
    """The command in one line."""
    arguments = [
        spelt(p) if p.required else f"[{spelt(p)}]" for p in parameters(command) if p.param_type_name == "argument"
    ]
    return " ".join(["stillwatch", name, *arguments, "[OPTIONS]"])


def part(name: str, command: Any) -> str:
    """One command: usage, what it does, its arguments and options."""
    rows = [(code(spelt(p)), takes(p), default(p), sentence(p.help or "")) for p in parameters(command)]
    shown = table(("", "takes", "default", "what it does"), rows) if rows else ""
    lead = (command.help or "").replace("\b", "").replace("\f", "").strip()
    anchor = name.replace(" ", "-")
    return f"## stillwatch {name} {{ #{anchor} }}\n\n```console\n$ {usage(name, command)}\n```\n\n{lead}\n\n{shown}\n"


def page() -> str:
    """Every command and the exit status."""
    exits = table(("status", "meaning"), [(code(str(status)), meaning) for status, meaning in _EXIT])
    lead = (
        "Bad records or files among good ones are reported, set aside in `rejected.jsonl`, and change nothing of the "
        "exit status. An error is one line that says what and where.\n"
    )
    parts = "".join(part(name, command) for name, command in commands().items())
    return f"# Commands\n\n{parts}## Exit status\n\n{exits}\n{lead}"
