"""Two hundred times `kill -9` while traffic comes, is judged and decided on: `python -m bench.kills`.

The whole service runs as it is shipped, with a cycle a second and an enforced policy, on a world with campaigns. Two
senders post batches, one analyst appeals and gives verdicts, one gateway looks up. At random moments its worker, its
cycle, both, or everything at once get SIGKILL: half of them at any time, three in ten within a judgement, one in five
within the moment in which findings become decisions. In the end all that was acknowledged must be there: every exchange
once, every appeal and verdict, an audit without a break; at no time may a look-up have said what never stood; and of
what was killed nothing may stay behind. Each wait has an end, at which the bench says what it waited for and fails.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.live_service import Ended, LiveService, rows_of
from stillwatch.errors import InputError
from stillwatch.respond.looks import findings_of
from stillwatch.respond.state import State
from stillwatch.serve.spool import sealed, used
from stillwatch.simulate import simulate
from stillwatch.store.states import newest

POLICY = "dry_run = false\n[caps]\nshare_of_accounts = 1.0\naccounts_an_hour = 1000000\n"
SMALL = 50
# Each of two senders rests so long after a batch: 50 exchanges a second in all, so that a judgement of what has come in
# half an hour is still over in seconds, and is met by kills from its beginning to its end.
REST_SECONDS = 2.0
# Findings become decisions in about half a second on such a store.
DECIDING_SECONDS = 0.6
# Folders that the kills of the last minute may have left, two of each.
LEFT = 40
# A judgement takes 5 to 15 s here; on a machine that does much else, some times that.
PATIENCE = 300.0


@dataclass
class Told:
    """What was acknowledged."""

    exchanges: set[str] = field(default_factory=set)
    again: int = 0
    appeals: set[str] = field(default_factory=set)
    verdicts: set[str] = field(default_factory=set)
    look_ups: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Harassed:
    """A service, those who use it, and what they were told."""

    def __init__(self, service: LiveService, rows: list[dict[str, Any]], seed: int) -> None:
        self.service, self.rows, self.told = service, rows, Told()
        self.draw = random.Random(seed)
        self._numbers = count()
        self._begun = 0  # cycles that had begun when one was killed last
        self._stop = threading.Event()
        jobs = [self._sends, self._sends, self._appeals, self._looks_up]
        self._threads = [threading.Thread(target=job, daemon=True) for job in jobs]

    def run(self, kills: int, most_seconds: float) -> Counter[str]:
        """Kill so many times; which processes."""
        for thread in self._threads:
            thread.start()
        killed: Counter[str] = Counter()
        began = time.monotonic()
        for number in range(kills):
            when = self.draw.choices(("any time", "judging", "deciding"), (5, 3, 2))[0]
            self._until(when)
            time.sleep(self.draw.uniform(0.0, DECIDING_SECONDS if when == "deciding" else most_seconds))
            what = self.draw.choice(("worker", "cycle", "worker and cycle", "all"))
            if what != "worker":
                self._begun = len(self.service.told("cycle started"))
            if what == "all":
                self.service.kill()
                self.service.start()
            else:
                self.service.kill(*self._found(what.split(" and ")))
                if self.service.recovers():  # of a worker that died twice within seconds the parent gives up
                    killed["given up, and started by the service manager"] += 1
            killed[f"{what}, {when}"] += 1
            if number % 10 == 9 or number + 1 == kills:
                print(
                    f"{number + 1} kills in {time.monotonic() - began:.0f} s, {len(self.told.exchanges):,} exchanges "
                    f"acknowledged, {len(self.service.told('judged'))} judgements", flush=True,
                )  # fmt: skip
        self.rest()
        return killed

    def rest(self) -> None:
        """Nobody sends, asks or appeals any more."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(PATIENCE)

    def _until(self, when: str) -> None:
        """Wait until the cycle that runs now has begun its work, or has just published findings."""
        if when == "any time":
            return
        within(PATIENCE, "the cycle's start", lambda: len(self.service.told("cycle started")) > self._begun, 0.1)
        if when == "deciding":
            before = _handed_on(self.service.folder)
            within(PATIENCE, "the next findings", lambda: bool(_handed_on(self.service.folder) - before), 0.01)

    def _found(self, names: list[str]) -> list[int]:
        """The numbers of these processes, once they are there."""
        found: dict[str, int] = {}

        def there() -> bool:
            with suppress(psutil.Error):  # one of them may end while it is looked at
                found.update(self._processes())
            return self.service.ended() or found.keys() >= set(names)

        within(PATIENCE, f"the {' and the '.join(names)}", there, 0.05)
        return [found[name] for name in names if name in found]

    def _processes(self) -> dict[str, int]:
        assert self.service.process is not None
        children = psutil.Process(self.service.process.pid).children()
        # Both are spawned alike; only the worker listens.
        own = [c for c in children if "resource_tracker" not in " ".join(c.cmdline())]
        listening = {c.pid for c in own if any(s.status == psutil.CONN_LISTEN for s in c.net_connections())}
        return {"worker" if c.pid in listening else "cycle": c.pid for c in own}

    def _asked(self, http: httpx.Client, method: str, path: str, **given: Any) -> httpx.Response | None:
        try:
            return http.request(method, path, **given)
        except httpx.HTTPError as error:
            self.told.unanswered[type(error).__name__] += 1
            self._stop.wait(0.1)
            return None

    def _sends(self) -> None:
        with self.service.client() as http:
            while not self._stop.is_set():
                number = next(self._numbers)
                begin = number * SMALL % (len(self.rows) - SMALL)
                ids = [f"b{number}-{n}" for n in range(SMALL)]
                some = zip(ids, self.rows[begin : begin + SMALL], strict=True)
                body = b"\n".join(orjson.dumps({**row, "exchange_id": name}) for name, row in some)
                while (answer := self._asked(http, "POST", "/v1/exchanges", content=body)) is None or answer.is_error:
                    self.told.again += 1
                    if answer is not None and answer.status_code != 429:
                        self.told.wrong.append(f"a batch was answered {answer.status_code}")
                    if self._stop.wait(0.2):
                        return
                self.told.exchanges.update(ids)
                self._stop.wait(REST_SECONDS)

    def _appeals(self) -> None:
        with self.service.client() as http:
            while not self._stop.wait(0.5):
                page = self._asked(http, "GET", "/api/v1/decisions")
                for one in page.json()["decisions"][:1] if page is not None and not page.is_error else ():
                    answer = self._asked(http, "POST", f"/v1/appeals/{one['decision_id']}", json={"text": "not so"})
                    if answer is not None and answer.status_code == 201:
                        self.told.appeals.add(answer.json()["appeal_id"])
                    said = {"subject": one["campaign_id"], "verdict": "confirmed", "why": "seen"}
                    answer = self._asked(http, "POST", "/api/v1/verdicts", json=said)
                    if answer is not None and answer.status_code == 201:
                        self.told.verdicts.add(answer.json()["verdict_id"])

    def _looks_up(self) -> None:
        accounts = sorted({row["account_id"] for row in self.rows})
        with self.service.client() as http:
            while not self._stop.wait(0.01):
                account = random.choice(accounts)
                answer = self._asked(http, "GET", "/api/v1/decision", params={"account": account})
                if answer is None:
                    continue
                if answer.is_error:
                    self.told.wrong.append(f"a look-up was answered {answer.status_code}")
                    continue
                self.told.look_ups += 1
                decision = answer.json()["decision"]
                if decision is not None:
                    self._seen(decision["decision_id"], account)

    def _seen(self, decision_id: str, account: str) -> None:
        """What is served must be in the state."""
        kept = self.state.decision(decision_id)
        if kept is None or account not in (kept.decision.subject, kept.decision.account):
            self.told.wrong.append(f"{decision_id} was served and does not stand")

    @property
    def state(self) -> State:
        """The state, as another process sees it."""
        if not hasattr(self, "_state"):
            self._state = State.open(self.service.folder / "state.db")
        return self._state


def within(seconds: float, what: str, there: Callable[[], bool], every: float) -> None:
    """Wait until it is so; ends the bench where it is not after so many seconds."""
    end = time.monotonic() + seconds
    while not there():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(every)


def _handed_on(folder: Path) -> set[Path]:
    """Findings that were written so far that decisions are made from them."""
    return set((folder / "judged").glob(".findings.stillwatch-*/findings.json"))


def judged_of_all(folder: Path) -> bool:
    """Whether the newest findings of all traffic are of all that is in the store."""
    manifest = newest(folder / "store")
    with suppress(InputError):
        found = findings_of(folder / "judged" / "findings").traffic
        return manifest is not None and found.exchanges + found.duplicates == manifest.rows
    return False


def compare(harassed: Harassed) -> bool:
    """What is there against what was acknowledged."""
    told, folder = harassed.told, harassed.service.folder
    manifest = newest(folder / "store")
    assert manifest is not None
    rows: Counter[str] = Counter()
    for part in manifest.tables["exchanges"]:
        counted = pc.value_counts(pq.read_table(folder / "store" / part.name, columns=["exchange_id"])["exchange_id"])
        rows.update(dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)))
    counted_ones = findings_of(folder / "judged" / "findings").traffic.exchanges
    repeated = {name.split("-")[0] for name, times in rows.items() if times > 1}
    entries, fault = harassed.state.verify()
    appeals = told.appeals - {a.appeal_id for a in harassed.state.appeals()}
    verdicts = told.verdicts - set(harassed.state.verdicts()["verdict_id"].to_pylist())
    lost = told.exchanges - rows.keys()
    print(f"exchanges: {len(told.exchanges):,} acknowledged, {len(rows):,} in the store, {len(lost):,} lost")
    print(f"counted by the last judgement: {counted_ones:,}")
    print(f"batches sent again since they were not answered: {told.again:,}, of which stored twice: {len(repeated):,}")
    print(f"appeals: {len(told.appeals):,} acknowledged, {len(appeals):,} lost")
    print(f"verdicts: {len(told.verdicts):,} acknowledged, {len(verdicts):,} lost")
    print(f"look-ups answered: {told.look_ups:,}; requests not answered: {dict(told.unanswered)}")
    print(f"audit: {entries:,} entries, {'whole' if fault is None else fault}")
    print(f"segments left in the spool: {len(sealed(folder / 'spool'))}")
    for wrong, times in Counter(told.wrong).most_common(10):
        print(f"wrong: {wrong} ({times} times)")
    left = sorted(path.name for path in (folder / "judged").glob(".findings*"))
    print(f"folders of killed judgements that were left: {len(left)}")
    whole = not (lost or appeals or verdicts or told.wrong or fault or sealed(folder / "spool"))
    # What was killed within the last minute is removed by the first judgement after it.
    whole &= len(left) <= LEFT
    return whole and counted_ones == len(rows) and len(repeated) <= told.again


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=6.0, help="at most, from one kill to the next")
    parser.add_argument(
        "--newest", type=int, default=200_000, help="`newest_exchanges`: where more has come, all is judged beside"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where; by default a temporary folder")
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="stillwatch-bench-", dir=given.folder))
    try:
        simulate(place / "world", exchanges=20_000, seed=given.seed)
        rows = rows_of(pq.read_table(place / "world" / "exchanges.parquet"))
        service = LiveService(
            place / "service", cycle_seconds=1, refresh_seconds=0.2, log_level="info",
            accounts=place / "world" / "accounts.parquet", models=place / "world" / "models.parquet",
            newest_exchanges=given.newest,
        )  # fmt: skip
        service.adopt(POLICY)
        service.start()
        harassed = Harassed(service, rows, given.seed)
        try:
            killed = harassed.run(given.kills, given.seconds)
            # What is judged is gone from it.
            within(PATIENCE, "the spool to be drained", lambda: not used(service.folder / "spool"), 0.2)
            within(PATIENCE, "a judgement of all of it", lambda: judged_of_all(service.folder), 0.5)
        except (TimeoutError, Ended) as error:
            print(f"failed: {error}\nthe end of the service's log:\n{service.log.read_text()[-3_000:]}", flush=True)
            return 1
        finally:
            harassed.rest()
            service.stop()
        judged, failed = len(service.told("judged")), service.told("a request failed")
        print(f"killed: {dict(sorted(killed.items()))}; {judged} judgements, {len(failed)} requests failed")
        return 0 if compare(harassed) and not failed else 1
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
