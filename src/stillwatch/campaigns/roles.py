"""Members down to the exchange and the key; and holders of stolen keys, who are victims and not accused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.campaigns.dedicated import dedicated
from stillwatch.campaigns.search import LIKELY, OWNER, Candidate
from stillwatch.campaigns.theft import AGED_US, HEAD_START_US, Sightings, theft_bits
from stillwatch.engine import Engine
from stillwatch.pools import FOR_A_PERSON

# A job is a campaign's own where so many in a hundred of the accounts that run it are members of some campaign.
OWN_PERCENT = 80
# Where a campaign has no such job, it is counted by those of which half are.
MOST_PERCENT = 50
# What is asked of campaigns' exchanges, of the columns of `traffic`.
TAKEN = "exchange_no account_no key_id time_us day hour_of_week model prompt_hash output_tokens"


def _sql(name: str) -> str:
    return (files(__package__ or "stillwatch.campaigns") / f"{name}.sql").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Member:
    """One account's part in one campaign.

    Times in microseconds since 1970 UTC; probability that the holder takes part; keys as (key, exchanges of the job).
    theft_bits: log2 odds that the key was stolen, by what it sends for all campaigns. at_home: how many of the
    exchanges come from places where the account's own business is seen on more days than the job.
    """

    account_no: int
    role: Literal["member", "victim"]
    probability: float
    exchanges: int
    other: int
    first_us: int
    last_us: int
    keys: tuple[tuple[str, int], ...]
    theft_bits: float
    at_home: int

    @property
    def stolen(self) -> bool:
        """Whether theft is likelier than that the holder takes part."""
        return self.theft_bits > 0


def who_runs(engine: Engine) -> pa.Table:
    """job, account_no, owner: who runs which job, and a number for each account's declared organisation."""
    return engine.query(
        f"SELECT a.job, a.account_no, {OWNER.format(of='a')} AS owner "
        "FROM account_jobs AS a LEFT JOIN known_accounts AS k ON k.account_no = a.account_no "
        "ORDER BY a.job, a.account_no"
    )


def own_jobs(campaigns: list[Candidate], sent: pa.Table) -> npt.NDArray[np.int64]:
    """The jobs whose exchanges are counted to campaigns: those that are their own, and for a campaign that has none,
    those of its jobs that mostly members run: of a small one some members are always missed.

    What of all members only accounts of one declared organisation run is that organisation's business, though each of
    them may have come into the campaign by a stolen key.

    sent: job, account_no, owner: who runs which job, and a number for each account's declared organisation, one of its
    own where it declares none.
    """
    job, account, owner = (sent[name].to_numpy() for name in ("job", "account_no", "owner"))
    runners = np.bincount(job)
    theirs = [c.weighed.members[c.probabilities >= LIKELY] for c in campaigns]
    anyone = np.isin(account, np.concatenate([np.zeros(0, np.int64), *theirs]))
    of_hundred = 100 * np.bincount(job, weights=anyone, minlength=len(runners)) / np.maximum(runners, 1)
    owners = np.bincount(np.unique(np.stack([job, owner])[:, anyone], axis=1)[0], minlength=len(runners))
    of_hundred[owners < 2] = 0
    own = of_hundred >= OWN_PERCENT
    mostly: list[int] = []
    for campaign in campaigns:
        run = np.unique(job[_theirs(campaign, job, account)])
        if not own[run].any():
            mostly += run[of_hundred[run] >= MOST_PERCENT].tolist()
    return np.union1d(np.flatnonzero(own), np.array(mostly, np.int64))


def with_exchanges(candidates: list[Candidate], sent: pa.Table) -> list[Candidate]:
    """The candidates, of which a campaign that no exchange could be counted to is left to a person: it has nothing to
    show. Without its members another may have nothing either, so this is asked until nothing changes.

    sent: as `own_jobs` takes it.
    """
    job, account = sent["job"].to_numpy(), sent["account_no"].to_numpy()
    while True:
        campaigns = [n for n, c in enumerate(candidates) if c.verdict == "campaign"]
        own = np.isin(job, own_jobs([candidates[n] for n in campaigns], sent))
        left = {n for n in campaigns if not (own & _theirs(candidates[n], job, account)).any()}
        if not left:
            return candidates
        candidates = [
            replace(c, belonging=partial(np.minimum, c.membership, FOR_A_PERSON)) if n in left else c
            for n, c in enumerate(candidates)
        ]


def _theirs(campaign: Candidate, job: npt.NDArray[np.int64], account: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of these rows are jobs of the campaign that its members run."""
    members = campaign.weighed.members[campaign.probabilities >= LIKELY]
    return np.isin(job, campaign.jobs) & np.isin(account, members)


def take_traffic(engine: Engine, campaigns: list[Candidate], workload_of: list[dict[int, int]]) -> None:
    """Leave `campaign_members` (campaign_no, account_no, probability) and `campaign_traffic` (campaign_no, workload_no
    and the columns of `TAKEN`) in the engine: the exchanges of the members that carry the campaign's jobs, each once.

    A job that others run as well is left out, since its exchanges may be anything: of what members sent with jobs of
    which fewer than `OWN_PERCENT` of the runners were members, a quarter belonged to no campaign, and of the rest one
    in two hundred (measured on 22 worlds looked at while building).

    workload_of: for every campaign, the number of each of its jobs' workloads.
    """
    rows: dict[str, list[int | float]] = {"campaign_no": [], "account_no": [], "probability_ppm": []}
    jobs: dict[str, list[int]] = {"campaign_no": [], "job": [], "workload_no": []}
    for number, campaign in enumerate(campaigns):
        for account, probability in zip(campaign.weighed.members, campaign.probabilities, strict=True):
            if probability >= LIKELY:
                rows["campaign_no"].append(number)
                rows["account_no"].append(int(account))
                rows["probability_ppm"].append(round(probability * 1e6))
        for job in campaign.jobs:
            jobs["campaign_no"].append(number)
            jobs["job"].append(job)
            jobs["workload_no"].append(workload_of[number][job])
    engine.register("campaign_members", pa.table(rows, schema=pa.schema([(n, pa.int64()) for n in rows])))
    engine.register("campaign_jobs", pa.table(jobs, schema=pa.schema([(n, pa.int64()) for n in jobs])))
    own = own_jobs(campaigns, who_runs(engine))
    engine.register("own_jobs", pa.table({"job": pa.array(own, pa.int64())}))
    engine.create(
        "told_traffic",
        f"SELECT x.campaign_no, x.workload_no, {_taken()} FROM ("
        "  SELECT m.campaign_no, j.exchange_no, min(c.workload_no) AS workload_no"
        "  FROM campaign_members AS m JOIN campaign_jobs AS c ON c.campaign_no = m.campaign_no"
        "  JOIN job_traffic AS j ON j.job = c.job AND j.account_no = m.account_no"
        "  JOIN own_jobs AS o ON o.job = c.job"
        "  GROUP BY m.campaign_no, j.exchange_no"
        ") AS x JOIN traffic AS t ON t.exchange_no = x.exchange_no",
    )
    engine.view("campaign_traffic", "SELECT * FROM told_traffic")


def _taken() -> str:
    return ", ".join(f"t.{name}" for name in TAKEN.split())


def _seen(engine: Engine, what: str) -> dict[int, Sightings]:
    """For every member, on how many days the job and its own business were seen with each value."""
    engine.create("seen", _sql(what))
    days: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in engine.query(_sql("sightings")).to_pylist():
        days[row["account_no"]].append((row["job_days"], row["own_days"]))
    return {account: Sightings(*zip(*seen, strict=True)) for account, seen in days.items()}


def _at_home(engine: Engine) -> dict[tuple[int, int], int]:
    """For every campaign and account, `Member.at_home` where it is not 0."""
    rows = engine.query(_sql("at_home")).to_pylist()
    return {(row["campaign_no"], row["account_no"]): row["exchanges"] for row in rows}


def _lived_before(row: dict[str, int | None]) -> bool:
    """Whether the account had business of its own, or an age, before the job came."""
    first, own, created = row["first_us"], row["own_first_us"], row["created_us"]
    if first is None:
        return False
    return (own is not None and own + HEAD_START_US <= first) or (created is not None and created + AGED_US <= first)


def _keys(engine: Engine) -> dict[tuple[int, int], list[tuple[str, int]]]:
    """For every campaign and account, the keys that sent its exchanges, the busiest first."""
    keys: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for row in engine.query(
        "SELECT campaign_no, account_no, key_id, count(*) AS exchanges FROM campaign_traffic WHERE key_id IS NOT NULL "
        "GROUP BY campaign_no, account_no, key_id ORDER BY campaign_no, account_no, exchanges DESC, key_id"
    ).to_pylist():
        keys.setdefault((row["campaign_no"], row["account_no"]), []).append((row["key_id"], row["exchanges"]))
    return keys


def members(engine: Engine) -> dict[int, list[Member]]:
    """For every campaign of `campaign_traffic` its members and victims, the most probable and busiest first."""
    keys = _keys(engine)
    engine.create("member_traffic", _sql("member_traffic"))
    by_place, by_exits, by_key = (_seen(engine, f"{what}_seen") for what in ("places", "exits", "keys"))
    at_home, nowhere = _at_home(engine), Sightings((), ())
    found: dict[int, list[Member]] = {}
    for row in engine.query(_sql("parts")).to_pylist():
        at = number, account = row["campaign_no"], row["account_no"]
        seen = (by.get(account, nowhere) for by in (by_place, by_exits, by_key))
        bits = theft_bits(*seen, lived_before=_lived_before(row))
        probability = row["probability_ppm"] / 1e6 / (1.0 + 2.0**bits)
        found.setdefault(number, []).append(
            Member(
                account,
                "victim" if bits > 0 and probability < LIKELY else "member",
                probability,
                row["exchanges"],
                row["other"],
                row["first_us"],
                row["last_us"],
                tuple(keys.get(at, [])),
                bits,
                at_home.get(at, 0),
            )
        )
    for several in found.values():
        several.sort(key=lambda m: (m.role == "victim", -round(m.probability, 3), -m.exchanges, m.account_no))
    return found


def without_other_business(engine: Engine, found: dict[int, list[Member]]) -> dict[int, frozenset[int]]:
    """For every campaign the members that do nothing else, where there are any; an account of several campaigns in the
    one that it does most for. Asks `member_traffic`, which `members` left."""
    busiest: dict[int, tuple[int, int]] = {}
    for number, several in found.items():
        for member in several:
            if member.role == "member" and not member.stolen:
                busiest[member.account_no] = max(busiest.get(member.account_no, (0, 0)), (member.exchanges, -number))
    opened: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for row in engine.query(_sql("own_requests")).to_pylist():
        account, number = row["account_no"], row["campaign_no"]
        if account in busiest and busiest[account][1] == -number:
            opened[number].append((account, row["opened"], row["free"]))
    alone = {}
    for number, rows in opened.items():
        likely = dedicated([n for _, n, _ in rows], [k for _, _, k in rows])
        accounts = frozenset(a for (a, _, _), p in zip(rows, likely.tolist(), strict=True) if p >= LIKELY)
        if accounts:
            alone[number] = accounts
    return alone


def take_all_they_send(
    engine: Engine,
    found: dict[int, list[Member]],
    alone: dict[int, frozenset[int]],
    workload_of: dict[int, int],
) -> dict[int, list[Member]]:
    """Add all that some members send to `campaign_traffic`; the members with what they send now.

    alone: for every campaign, the members. workload_of: for every campaign, the number of the workload that it goes to.
    """
    rows = [(number, account, workload_of[number]) for number in sorted(alone) for account in sorted(alone[number])]
    names = ("campaign_no", "account_no", "workload_no")
    columns = [pa.array([row[i] for row in rows], pa.int64()) for i in range(len(names))]
    engine.register("dedicated_members", pa.table(columns, names=list(names)))
    engine.create(
        "untold_traffic",
        f"SELECT d.campaign_no, d.workload_no, {_taken()} FROM dedicated_members AS d "
        "JOIN member_traffic AS m ON m.campaign_no = d.campaign_no AND m.account_no = d.account_no AND m.job = 0 "
        "JOIN traffic AS t ON t.exchange_no = m.exchange_no",
    )
    engine.view("campaign_traffic", "SELECT * FROM told_traffic UNION ALL SELECT * FROM untold_traffic")
    keys = _keys(engine)
    sent = {
        (row["campaign_no"], row["account_no"]): row
        for row in engine.query(
            "SELECT campaign_no, account_no, count(*) AS exchanges, min(time_us) AS first_us, max(time_us) AS last_us "
            "FROM campaign_traffic GROUP BY campaign_no, account_no ORDER BY campaign_no, account_no"
        ).to_pylist()
    }

    def whole(number: int, member: Member) -> Member:
        if member.account_no not in alone.get(number, frozenset()):
            return member
        at = number, member.account_no
        row = sent[at]
        return replace(
            member,
            exchanges=row["exchanges"],
            other=member.exchanges + member.other - row["exchanges"],
            first_us=row["first_us"],
            last_us=row["last_us"],
            keys=tuple(keys.get(at, [])),
        )

    return {number: [whole(number, member) for member in several] for number, several in found.items()}
