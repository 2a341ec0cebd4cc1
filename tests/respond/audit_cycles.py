"""A process that runs cycles until it is killed: python -m tests.respond.audit_cycles PLACE KEY FIRST."""

import sys
from contextlib import closing
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


def main() -> None:
    """Run cycles from a number on, saying of each that it was applied."""
    place, key, first = sys.argv[1:]
    with closing(State.open(place, Path(key))) as state:
        print("ready", flush=True)
        for n in range(int(first), 1_000_000):
            cycle(state, n)
            print(n, flush=True)


if __name__ == "__main__":
    main()
