"""Commands that the written pages tell people to type exist, with the options that they are given."""

import re
import shlex
from pathlib import Path

import pytest

from stillwatch.tables import ACCOUNTS, EXCHANGES, MODELS
from tools.reference.commands import commands, parameters

ROOT = Path(__file__).parents[2]
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>\w+)[^\n]*\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S)
_ASSIGNMENT = re.compile(r"^\w+=")


def typed(text: str) -> list[list[str]]:
    """The words of each command: in console blocks what follows `$ ` (every line, where no line has it), in sh and bash
    blocks the lines that begin with stillwatch."""
    found = []
    for block in _BLOCK.finditer(text):
        lines = [line.strip() for line in block["body"].replace("\\\n", " ").splitlines()]
        prompted = [line[2:] for line in lines if line.startswith("$ ")]
        if block["kind"] == "console":
            found += prompted or lines
        elif block["kind"] in ("sh", "bash"):
            found += [line for line in lines if line.startswith("stillwatch ")]
    return [words for line in found if (words := without_assignments(shlex.split(line, comments=True)))]


def without_assignments(words: list[str]) -> list[str]:
    while words and _ASSIGNMENT.match(words[0]):
        words = words[1:]
    return words


def fault(words: list[str]) -> str | None:
    """What is wrong with a command, or None."""
    program = Path(words[0]).name
    if program == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
        return next((f"make has no target {t}" for t in words[1:] if t not in targets and "=" not in t), None)
    if program != "stillwatch" or words[1:] in (["--help"], ["--version"]):
        return None
    names = [" ".join(words[1:end]) for end in range(len(words), 1, -1)]
    name = next((n for n in names if n in commands()), None)
    if name is None:
        return f"no command {' '.join(words[:2])}"
    command = commands()[name]
    options = {o for p in parameters(command) for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    given = [w.split("=")[0] for w in words[2:] if w.startswith("-")]
    return next((f"stillwatch {name} has no option {o}" for o in given if o not in options), None)


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: p.name)
def test_commands_exist(path):
    wrong = [w for words in typed(path.read_text("utf-8")) if (w := fault(words))]
    assert wrong == []


def test_what_is_wrong_is_seen():
    text = "```console\n$ stillwatch scan x --no-such\n$ make nothing\nX=1\n```\n\n```sh\nstillwatch burn\n```\n"
    assert [fault(words) for words in typed(text)] == [
        "stillwatch scan has no option --no-such",
        "make has no target nothing",
        "no command stillwatch burn",
    ]


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text("utf-8")
    assert {("make", "demo"), ("make", "test")} <= {tuple(words[:2]) for words in typed(text)}


def test_the_tutorials_csv_columns_exist():
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    known = {*EXCHANGES.names, *ACCOUNTS.names, *MODELS.names, "request_id"}
    heads = re.findall(r"^```csv[^\n]*\n([^\n]*)\n", text, re.M)
    assert len(heads) == 3
    assert {c for head in heads for c in head.split(",")} <= known
