"""A process that runs cycles until it is killed."""

from __future__ import annotations

import multiprocessing
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from tests.respond.respond_examples import AT, found, suspects

from stillwatch.respond.cycle import run_cycle
from stillwatch.respond.state import State

ACCOUNTS = 40


def cycle(state: State, n: int) -> int:
    """One cycle with findings of its own; how many decisions it made."""
    names = [f"c{n}-a{i}" for i in range(ACCOUNTS)]
    one = found(*suspects(f"C-{n}", *names), digest=str(n), accounts=1_000_000)
    return len(run_cycle(state, one, AT + timedelta(hours=n)).plan.decisions)


def run(place: str, key: Path, first: int, say) -> None:
    """Run cycles from a number on, saying of each that it was applied; -1 once it is ready."""
    with closing(State.open(place, key)) as state:
        say.send(-1)
        for n in range(first, 1_000_000):
            cycle(state, n)
            say.send(n)


@contextmanager
def running(place: str, key: Path, first: int):
    """The process, forked so that it need not load everything anew, and what it says, when it is ready."""
    fork = multiprocessing.get_context("fork")
    heard, say = fork.Pipe(duplex=False)
    worker = fork.Process(target=run, args=(place, key, first, say), daemon=True)
    worker.start()
    say.close()
    try:
        assert heard.recv() == -1
        yield worker, heard
    finally:
        worker.kill()
        worker.join()


def rest(heard) -> list[int]:
    """All that was said up to the end."""
    said = []
    while True:
        try:
            said.append(heard.recv())
        except EOFError:
            return said
