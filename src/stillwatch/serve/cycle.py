"""The cycle: what waits in the spool goes into the store, the store is judged, and the findings are handed on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from stillwatch.errors import InputError, StillwatchError
from stillwatch.findings import Findings
from stillwatch.respond.looks import findings_of
from stillwatch.scan import Request, scan
from stillwatch.serve.beside import Beside, Whole
from stillwatch.serve.logs import fault, say
from stillwatch.serve.pulse import Heart
from stillwatch.serve.settings import of_newest
from stillwatch.serve.spool import Key, Segment, expired, recovered
from stillwatch.serve.spool.draining import FORMAT, Drain, as_file
from stillwatch.settings import Settings
from stillwatch.sources import Rejects
from stillwatch.store import upkeep
from stillwatch.store.ingest import content_digest, ingest, reading_digest, told_apart
from stillwatch.store.kept import opened, reopened
from stillwatch.store.states import newest

# A cycle adds a source a segment and a part a day to the store. A manifest of 64 more entries is some 20 KB more to
# write each time, and merging 64 small parts once costs a fraction of having written them.
UPKEEP_AT = 64
# Of a store that holds more than the newest exchanges, all are judged again once that takes no more than this share of
# the time: while it goes on, what comes is judged on the same cores.
WHOLE_SHARE = 0.1
# Or once so much has come, as a share of what there was: where a campaign sends more than the newest exchanges are,
# those are its own, and there is nobody among them beside whom it would be seen.
WHOLE_GROWTH = 0.1


class _Stopped(BaseException):
    """The service stops; not an error of anything that is under way, and not to be taken for one."""


def _tell(what: str, error: Exception) -> None:
    # A message may quote what was read; those of our own errors are written for people, and quote nothing.
    said = f": {error}" if isinstance(error, StillwatchError) else ""
    say(f"a cycle failed, {what}{said}", logging.ERROR, part="cycle", **fault(error))


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything is. findings: the folder in which the newest findings are published.

    every: seconds from the beginning of one cycle to that of the next. expire_seconds: after how long what nobody
    drained is removed. join_seconds: how long exchanges wait for what other logs tell; 0 for not at all. newest: how
    many exchanges a judgement between those of the whole store is of; 0 where each is of the whole.
    """

    spool: Path
    store: Path
    findings: Path
    spool_key: Path | None = None
    accounts: Path | None = None
    account_events: Path | None = None
    models: Path | None = None
    verdicts: Path | None = None
    every: float = 60.0
    expire_seconds: float = 72 * 3600.0
    join_seconds: float = 0.0
    newest: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement: the findings, a folder with what decisions are made from, when the cycle began, and how long it
    took until then.

    stages: seconds of each stage of the scan, by its name. The rest of the findings is published after it was handed
    on, and the folder is theirs then. of_accounts: how many accounts there are, where only the newest exchanges were
    judged; None where all were.
    """

    findings: Findings
    folder: Path
    began: float
    seconds: float
    stages: dict[str, float]
    of_accounts: int | None = None


class _Stages:
    """Which stage a scan is in, and how long it was in each."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._now, self._since = "read", time.monotonic()

    def at(self, stage: str) -> None:
        """It is in this stage from now on."""
        now = time.monotonic()
        self.seconds[self._now] = self.seconds.get(self._now, 0.0) + now - self._since
        self._now, self._since = stage, now


class Cycle:
    """Drains and judges, over and over. One at a time works on a store; it is the store's writer."""

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        hand_on: Callable[[Judged], None],
        beside: Callable[[Collection[bytes]], Beside] | None = None,
        heart: Heart | None = None,
    ) -> None:
        """hand_on: called with every judgement, in the cycle's thread. What it raises is raised once the findings are
        published, and the next cycle judges and hands on, though no traffic may have come.

        beside: starts a process that calls `judge_all` with these ids of segments. Where there is none, the cycle makes
        the judgements of all itself, and what comes waits for their end. heart: where it says how it is.
        """
        self.plan = plan
        self.settings = settings
        self._hand_on = hand_on
        self._start = beside
        self._heart = heart or Heart(None)
        self._key = Key.of_spool(plan.spool, plan.spool_key)
        self._asked = Event()
        self._beside: Beside | None = None
        self._held: frozenset[bytes] = frozenset()  # segments that it reads
        self._whole: Whole | None = None  # the last of all; None where one is to be made before any other
        self._not_before = 0.0  # when the next may begin, after one beside that failed
        self._behind = False  # whether what came last was judged since all was
        self._all_asked = Event()
        self._drained: set[bytes] = set()
        self._stop = Event()
        self.last: Judged | None = None
        self.faults = 0

    def run(self, stop: Event) -> None:
        """Go round until told to stop, which breaks a judgement off: what it has drained by then is in the store.

        What fails is logged and tried again, and what waits goes into the store meanwhile.
        """
        self._stop = stop
        try:
            self._go_round(stop)
        finally:
            self._break_off()

    def _go_round(self, stop: Event) -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.once()
                self.faults = 0
            except _Stopped:
                return
            except Exception as error:
                self.faults += 1
                _tell("nothing was judged", error)
                self._drain_at_least()
            self._heart.cycled(well=self.faults == 0)
            stop.wait(max(0.0, began + self.plan.every - time.monotonic()))

    def _drain_at_least(self) -> None:
        try:
            self.drain()
        except _Stopped:
            return
        except Exception as error:
            _tell("what waits in the spool stays there", error)

    def judge_anyway(self, *, of_all: bool = False) -> None:
        """Have the next cycle judge though no traffic has come: a verdict was given, or a policy changed. of_all: judge
        the whole store, since a policy is for everybody who was found."""
        if of_all:
            self._all_asked.set()
        self._asked.set()

    def once(self) -> Judged | None:
        """One cycle; None where there was nothing to judge anew."""
        self._hear()
        drain = self._waiting()
        rows = self._rows()
        large = rows > self.plan.newest > 0
        if large and self._whole is None and self._start is not None:
            self._whole = self._earlier()
            self._behind = self._whole is not None
        due = self._due(rows)
        whole = not large or self._whole is None or self._all_asked.is_set() or (due and self._start is None)
        if whole:
            self._break_off()
        new = bool(drain.segments) or (rows > 0 and (self._asked.is_set() or self._whole is None))
        start = self._start if due and not whole and self._beside is None and (new or self._behind) else None
        if start is not None:
            self._held = frozenset(segment.id for segment in drain.there)
        judged = self._judge(drain, whole=whole) if new or (self._behind and whole) else None
        if start is not None:
            self._beside = start(self._held)
            self._behind = False
        return judged

    def _due(self, rows: int) -> bool:
        """Whether the time has come to judge the whole store, which holds so many, and not its newest alone."""
        now, last = time.time(), self._whole
        if last is None:
            return True
        long_ago = now - last.began >= last.seconds / WHOLE_SHARE
        return now >= self._not_before and (long_ago or rows >= (1 + WHOLE_GROWTH) * last.exchanges)

    def _judge(self, drain: Drain, *, whole: bool) -> Judged:
        """Judge what waits with what there is: with all of it, or with what came last."""
        self._asked.clear()
        if whole:
            self._all_asked.clear()
        try:
            of_accounts = None if whole or self._whole is None else self._whole.accounts
            judged, faults = self._scanned(drain, self._request(whole=whole), of_accounts)
        except BaseException:
            self.judge_anyway(of_all=whole)  # so that the next cycle judges what was taken, though none may have come
            self._drop(drain, self._taken(drain))
            raise
        self.last = judged
        self._behind = not whole
        if whole:
            self._whole = None if faults else _whole_of(judged)
        if faults:
            self._asked.set()
        self._drop(drain, drain.segments)
        self._upkeep()
        if faults:
            raise faults[0]
        self._heart.judged(of_all=whole)
        return judged

    def judge_all(self, segments: Collection[bytes]) -> Whole:
        """Judge all that the store holds, beside the process whose cycles write to it; what came of it.

        segments: ids of those of the spool that are in the store and still there, for the text that they hold.
        """
        drain = self._drain(only=segments)
        judged, faults = self._scanned(drain, replace(self._request(whole=True), beside=True), None)
        if faults:
            raise faults[0]
        return _whole_of(judged)

    def _scanned(self, drain: Drain, request: Request, of_accounts: int | None) -> tuple[Judged, list[Exception]]:
        """A judgement that was handed on, and what that raised."""
        began, since, stages = time.time(), time.monotonic(), _Stages()

        def progress(stage: str, done: int, total: int | None) -> None:
            self._progress(stage, done, total)
            stages.at(stage)

        faults: list[Exception] = []

        def judged(findings: Findings, folder: Path) -> Judged:
            return Judged(findings, folder, began, time.monotonic() - since, stages.seconds, of_accounts)

        def hand_on(findings: Findings, folder: Path) -> None:
            stages.at("write")
            try:
                self._hand_on(judged(findings, folder))
            except Exception as error:
                faults.append(error)

        findings = scan(request, self.settings, progress, drain, hand_on)
        return judged(findings, request.out), faults

    def _hear(self) -> None:
        """What came of the judgement beside, where it is over."""
        if self._beside is not None and self._beside.running:
            return
        if self._beside is not None:
            now, whole = time.time(), self._beside.told()
            self._whole = whole or self._whole
            if whole is None:
                self._behind = True
                self._not_before = now + (now - self._beside.began)
            else:
                self._heart.judged(of_all=True)
        self._beside, self._held = None, frozenset()

    def _break_off(self) -> None:
        if self._beside is not None:
            self._beside.stop()
            self._beside, self._held = None, frozenset()

    def _earlier(self) -> Whole | None:
        """What is known of a judgement of all before this process began, which has to be made again; None where there
        was none."""
        try:
            found = findings_of(self.plan.findings).traffic
            return Whole(found.accounts, exchanges=0, began=0.0, seconds=0.0)
        except InputError:
            return None

    def drain(self) -> int:
        """Bring what waits into the store without judging; how many segments. What could not be drained for too long
        is removed."""
        try:
            return self._drained_now()
        finally:
            self._expire()

    def _drained_now(self) -> int:
        drain = self._waiting()
        if drain.segments:
            with opened(self.plan.store, self.settings.sketch_key_file) as (store, gear), Rejects(None) as rejects:
                inputs = drain.inputs(rejects)
                known, new = told_apart(store, inputs)
                ingest(
                    store,
                    inputs,
                    new,
                    lambda some: drain.batches(some, rejects),
                    reading=reading_digest(()),
                    rejects=rejects,
                    gear=gear,
                    threads=self.settings.threads,
                    some_known=bool(known),
                    progress=lambda done: self._progress("enrich", done, None),
                )
            self._drop(drain, drain.segments)
            self._upkeep()
        return len(drain.segments)

    def _expire(self) -> None:
        """Remove what could not be drained for too long, and say so: those who sent it were told that it was taken."""
        gone = [s for s in expired(self.plan.spool, self.plan.expire_seconds) if s.id not in self._drained]
        if gone:
            say("traffic was never drained and has expired", logging.ERROR, part="cycle", segments=len(gone))

    def _waiting(self) -> Drain:
        recovered(self.plan.spool, self._key)
        drain = self._drain()
        self._drop(drain, ())  # what was drained before, and told of exchanges that had still to come
        return drain

    def _drain(self, only: Collection[bytes] | None = None) -> Drain:
        return Drain(
            self.plan.spool,
            self._key,
            join_seconds=self.plan.join_seconds,
            drained=self._drained,
            only=only,
            batch_rows=self.settings.batch_rows,
            accounts=self.plan.accounts,
            account_events=self.plan.account_events,
            models=self.plan.models,
        )

    def _request(self, *, whole: bool) -> Request:
        plan = self.plan
        return Request(
            (str(plan.spool),),
            plan.findings if whole else of_newest(plan.findings),
            accounts=plan.accounts,
            models=plan.models,
            store=plan.store,
            verdicts=plan.verdicts,
            newest=None if whole else plan.newest,
        )

    def _rows(self) -> int:
        manifest = newest(self.plan.store) if self.plan.store.is_dir() else None
        return manifest.rows if manifest is not None else 0

    def _progress(self, stage: str, done: int, total: int | None) -> None:  # noqa: ARG002
        if self._stop.is_set():
            raise _Stopped

    def _drop(self, drain: Drain, taken: Iterable[Segment]) -> None:
        """Remove from the spool what is in the store. What was taken and is still there after a crash is known by its
        content, and is not taken again."""
        self._drained |= {segment.id for segment in taken}
        for segment in drain.spent(self._drained - self._held):
            segment.path.unlink(missing_ok=True)
            self._drained.discard(segment.id)

    def _taken(self, drain: Drain) -> list[Segment]:
        """The segments that are in the store, where that is not certain."""
        try:
            manifest = newest(self.plan.store)
            known = {source.digest for source in manifest.sources} if manifest else set()
            return [s for s in drain.segments if s.path.exists() and known and content_digest(as_file(s)) in known]
        except (StillwatchError, OSError):
            return []

    def _upkeep(self) -> None:
        """Keep the store small: segments that are gone as one source, small parts as one."""
        with reopened(self.plan.store) as store:
            there = {path.name for path in self.plan.spool.iterdir()}
            gone = [s.number for s in store.manifest.sources if s.format == FORMAT and s.name not in there]
            if len(gone) >= UPKEEP_AT:
                store.fold(gone)
            small = [part.day for part in store.manifest.tables["exchanges"] if part.rows < upkeep.SMALL]
        if len(small) - len(set(small)) >= UPKEEP_AT:  # of the small parts of a day one stays when they are merged
            upkeep.compact(self.plan.store, lambda _, __: None)


def _whole_of(judged: Judged) -> Whole:
    found = judged.findings.traffic
    return Whole(found.accounts, found.exchanges + found.duplicates, judged.began, judged.seconds)
