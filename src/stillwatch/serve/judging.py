"""The cycle as a process of its own, so that judging never makes a look-up wait: drain, judge, decide, again."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from stillwatch.respond.cycle import run_cycle
from stillwatch.respond.found import read_found
from stillwatch.respond.state import State
from stillwatch.serve.cycle import Cycle, Judged, Plan
from stillwatch.serve.lifetime import leave_with_parent
from stillwatch.serve.logs import say, set_up
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.state import open_state
from stillwatch.settings import Settings
from stillwatch.sources import Rejects, read_accounts


def judge(settings: ServeSettings, scanning: Settings) -> None:
    """Go round until SIGTERM. scanning: the settings of the judgement itself."""
    leave_with_parent()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    set_up(settings.log_level)
    state = open_state(settings)
    folder = settings.folder / "judged"
    folder.mkdir(parents=True, exist_ok=True)
    verdicts = folder / "verdicts.parquet"
    state.export_verdicts(verdicts)
    plan = Plan(
        spool=settings.spool_folder,
        store=settings.store_folder,
        findings=folder / "findings",
        spool_key=settings.spool_key_file,
        accounts=settings.accounts,
        models=settings.models,
        verdicts=verdicts,
        every=float(settings.cycle_seconds),
        expire_seconds=settings.spool_hours * 3600,
        join_seconds=settings.join_seconds,
    )
    cycle = Cycle(plan, scanning, lambda judged: decide(state, settings, judged))
    asking = threading.Thread(target=_heed, args=(state, cycle, verdicts, stop, settings.refresh_seconds), daemon=True)
    asking.start()
    say("cycle started", part="cycle")
    cycle.run(stop)
    state.close()
    say("cycle stopped", part="cycle")


def decide(state: State, settings: ServeSettings, judged: Judged) -> None:
    """What follows from a judgement, by the policy in force."""
    with Rejects(None) as rejects:
        customers = read_accounts(settings.accounts, rejects) if settings.accounts else None
    applied = run_cycle(state, read_found(judged.folder, customers), datetime.now(UTC))
    say(
        "judged",
        part="cycle",
        campaigns=len(judged.findings.campaigns),
        decisions=len(applied.plan.decisions),
        seconds=round(judged.seconds, 3),
    )


def _heed(state: State, cycle: Cycle, verdicts: Path, stop: Event, seconds: float) -> None:
    """Have what people said judged in the next cycle, though no traffic may have come."""
    heard = _said(state)
    while not stop.wait(seconds):
        said = _said(state)
        if said != heard:
            heard = said
            state.export_verdicts(verdicts)
            cycle.judge_anyway()


def _said(state: State) -> tuple[int, int]:
    return state.policy()[0], state.verdicts().num_rows
