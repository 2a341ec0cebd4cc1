"""Members down to the exchange and the key; and holders of stolen keys, who are victims and not accused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Literal

import pyarrow as pa

from stillwatch.campaigns.search import LIKELY, Candidate
from stillwatch.campaigns.theft import AGED_US, HEAD_START_US, Sightings, theft_bits
from stillwatch.engine import Engine


def _sql(name: str) -> str:
    return (files(__package__ or "stillwatch.campaigns") / f"{name}.sql").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Member:
    """One account's part in one campaign.

    Times in microseconds since 1970 UTC; probability that the holder takes part; keys as (key, exchanges of the job).
    theft_bits: log2 odds that the key was stolen. at_home: how many of the exchanges come from places where the
    account's own business is seen on more days than the job.
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


def take_traffic(engine: Engine, campaigns: list[Candidate], workload_of: list[dict[int, int]]) -> None:
    """Leave `campaign_members` (campaign_no, account_no, probability) and `campaign_traffic` (campaign_no, workload_no
    and the columns of `traffic`) in the engine: the exchanges of the members that carry the campaign's jobs, each once.

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
    engine.create(
        "campaign_traffic",
        "SELECT x.campaign_no, x.workload_no, t.* FROM ("
        "  SELECT m.campaign_no, j.exchange_no, min(c.workload_no) AS workload_no"
        "  FROM campaign_members AS m JOIN campaign_jobs AS c ON c.campaign_no = m.campaign_no"
        "  JOIN job_traffic AS j ON j.job = c.job AND j.account_no = m.account_no"
        "  GROUP BY m.campaign_no, j.exchange_no"
        ") AS x JOIN traffic AS t ON t.exchange_no = x.exchange_no",
    )


@dataclass(slots=True)
class _Seen:
    """Days and exchanges of the job and of own business, place by place (or key by key), of one account."""

    job_days: list[int] = field(default_factory=list)
    own_days: list[int] = field(default_factory=list)
    job: list[int] = field(default_factory=list)

    def sightings(self) -> Sightings:
        return Sightings(self.job_days, self.own_days)

    def at_home(self) -> int:
        rows = zip(self.job, self.job_days, self.own_days, strict=True)
        return sum(n for n, job, own in rows if own > job)


def _seen(engine: Engine, what: str) -> dict[tuple[int, int], _Seen]:
    engine.create("seen", _sql(what))
    found: dict[tuple[int, int], _Seen] = defaultdict(_Seen)
    for row in engine.query(_sql("sightings")).to_pylist():
        seen = found[row["campaign_no"], row["account_no"]]
        seen.job_days.append(row["job_days"])
        seen.own_days.append(row["own_days"])
        seen.job.append(row["job"])
    return found


def _lived_before(row: dict[str, int | None]) -> bool:
    """Whether the account had business of its own, or an age, before the job came."""
    first, own, created = row["first_us"], row["own_first_us"], row["created_us"]
    if first is None:
        return False
    return (own is not None and own + HEAD_START_US <= first) or (created is not None and created + AGED_US <= first)


def members(engine: Engine) -> dict[int, list[Member]]:
    """For every campaign of `campaign_traffic` its members and victims, the most probable and busiest first."""
    keys: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for row in engine.query(
        "SELECT campaign_no, account_no, key_id, count(*) AS exchanges FROM campaign_traffic WHERE key_id IS NOT NULL "
        "GROUP BY campaign_no, account_no, key_id ORDER BY campaign_no, account_no, exchanges DESC, key_id"
    ).to_pylist():
        keys.setdefault((row["campaign_no"], row["account_no"]), []).append((row["key_id"], row["exchanges"]))
    engine.create("member_traffic", _sql("member_traffic"))
    by_place, by_exits, by_key = (_seen(engine, f"{what}_seen") for what in ("places", "exits", "keys"))
    found: dict[int, list[Member]] = {}
    for row in engine.query(_sql("parts")).to_pylist():
        at = (row["campaign_no"], row["account_no"])
        places = by_place[at].sightings()
        bits = theft_bits(places, by_exits[at].sightings(), by_key[at].sightings(), lived_before=_lived_before(row))
        probability = row["probability_ppm"] / 1e6 / (1.0 + 2.0**bits)
        found.setdefault(row["campaign_no"], []).append(
            Member(
                row["account_no"],
                "victim" if bits > 0 and probability < LIKELY else "member",
                probability,
                row["exchanges"],
                row["other"],
                row["first_us"],
                row["last_us"],
                tuple(keys.get(at, [])),
                bits,
                by_place[at].at_home(),
            )
        )
    for several in found.values():
        several.sort(key=lambda m: (m.role == "victim", -round(m.probability, 3), -m.exchanges, m.account_no))
    return found
