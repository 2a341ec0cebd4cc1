"""The cycle as a process of its own, so that judging never makes a look-up wait: drain, judge, decide, again."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event

from stillwatch.errors import StillwatchError
from stillwatch.respond.cycle import act_on
from stillwatch.respond.state import State
from stillwatch.serve.beside import Beside
from stillwatch.serve.cycle import Cycle, Judged, Plan
from stillwatch.serve.lifetime import leave_with_parent
from stillwatch.serve.logs import fault, say, set_up
from stillwatch.serve.pulse import Heart
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.state import open_state
from stillwatch.settings import Settings

# A judgement that is broken off leaves its store in order at any moment, as after `kill -9`: there is nothing to wait
# for when nobody is there to be answered.
ORPHAN_SECONDS = 1.0
# What comes is judged, and look-ups are answered, before a judgement of all has its share of the cores.
NICENESS = 10


def judge(settings: ServeSettings, scanning: Settings) -> None:
    """Go round until SIGTERM. scanning: the settings of the judgement itself."""
    leave_with_parent(ORPHAN_SECONDS)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    set_up(settings.log_level)
    try:
        _go_round(settings, scanning, stop)
    except Exception as error:  # its traceback would say more than a log may, of the state's URL for one
        said = f": {error}" if isinstance(error, StillwatchError) else ""
        say(f"the cycle ends{said}", logging.ERROR, part="cycle", **fault(error))
        sys.exit(1)


def _go_round(settings: ServeSettings, scanning: Settings, stop: Event) -> None:
    state = open_state(settings)
    verdicts = _verdicts(settings)
    # Findings hold the text that accounts share: looks at it through the service are recorded, those at files are not.
    verdicts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    heard = state.said()
    state.export_verdicts(verdicts)
    heart = Heart(settings.pulse_file)
    threading.Thread(target=heart.beat, args=(stop,), daemon=True).start()
    cycle = Cycle(
        _plan(settings),
        scanning,
        lambda judged: decide(state, settings, scanning, judged),
        lambda segments: Beside(judge_all, settings, scanning, frozenset(segments)),
        heart,
    )
    if settings.accounts is None and not state.policy()[1].dry_run:
        say("no file of accounts is set: nobody is known to be under contract", logging.WARNING, part="cycle")
    if not state.followed(heard[0]):
        cycle.judge_anyway(of_all=True)  # the policy was changed while nobody judged
    heeding = _Heeding(state, cycle, verdicts, heard)
    threading.Thread(target=heeding.run, args=(stop, settings.refresh_seconds), daemon=True).start()
    say("cycle started", part="cycle")
    cycle.run(stop)
    state.close()
    say("cycle stopped", part="cycle")


def judge_all(settings: ServeSettings, scanning: Settings, segments: frozenset[bytes], told: Connection) -> None:
    """Judge all that the store holds, beside the process that goes round, and tell it what came of it."""
    leave_with_parent(ORPHAN_SECONDS)
    os.nice(NICENESS)
    set_up(settings.log_level)
    try:
        with closing(open_state(settings)) as state:
            cycle = Cycle(_plan(settings), scanning, lambda judged: decide(state, settings, scanning, judged))
            told.send(cycle.judge_all(segments))
    except Exception as error:
        said = f": {error}" if isinstance(error, StillwatchError) else ""
        say(f"a judgement of all failed{said}", logging.ERROR, part="cycle", **fault(error))
        sys.exit(1)


def _verdicts(settings: ServeSettings) -> Path:
    return settings.findings_folder.parent / "verdicts.parquet"


def _plan(settings: ServeSettings) -> Plan:
    return Plan(
        spool=settings.spool_folder,
        store=settings.store_folder,
        findings=settings.findings_folder,
        spool_key=settings.spool_key_file,
        accounts=settings.accounts,
        account_events=settings.account_events,
        models=settings.models,
        verdicts=_verdicts(settings),
        every=float(settings.cycle_seconds),
        expire_seconds=settings.spool_hours * 3600,
        join_seconds=settings.join_seconds,
        newest=settings.newest_exchanges,
    )


def decide(state: State, settings: ServeSettings, scanning: Settings, judged: Judged) -> None:
    """What follows from a judgement, by the policy in force."""
    began = time.monotonic()
    applied = act_on(
        state,
        judged.folder,
        datetime.now(UTC),
        scanning,
        accounts=settings.accounts,
        store=settings.store_folder,
        of_accounts=judged.of_accounts,
        read_at=datetime.fromtimestamp(judged.began, UTC),
    )
    say(
        "judged",
        part="cycle",
        whole=judged.of_accounts is None,
        exchanges=judged.findings.traffic.exchanges,
        campaigns=len(judged.findings.campaigns),
        decisions=len(applied.plan.decisions),
        seconds=round(judged.seconds, 3),
        stages={n: round(s, 3) for n, s in {**judged.stages, "decide": time.monotonic() - began}.items()},
    )


class _Heeding:
    """Has what people said judged in the next cycle, though no traffic may have come."""

    def __init__(self, state: State, cycle: Cycle, verdicts: Path, heard: tuple[int, int]) -> None:
        """heard: what they had said when the verdicts were written last."""
        self._state, self._cycle, self._verdicts, self._heard = state, cycle, verdicts, heard
        self._well = True

    def run(self, stop: Event, seconds: float) -> None:
        """Look every so many seconds, until told to stop."""
        while not stop.wait(seconds):
            try:
                self._look()
                self._well = True
            except Exception as error:  # out of reach for now: what was said meanwhile is heard later
                if self._well:
                    say("verdicts are out of reach", logging.ERROR, part="cycle", **fault(error))
                self._well = False

    def _look(self) -> None:
        said = self._state.said()
        if said != self._heard:
            self._state.export_verdicts(self._verdicts)
            another_policy, self._heard = said[0] != self._heard[0], said
            self._cycle.judge_anyway(of_all=another_policy)
