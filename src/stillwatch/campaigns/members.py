"""Members down to the exchange and the key; and holders of stolen keys, who are victims and not accused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from stillwatch.campaigns.find import LIKELY, Candidate
from stillwatch.engine import DuckDB

# What the holder of a stolen key looks like: business of its own before the theft, from networks that the theft never
# uses. Five exchanges are the fewest that show a habit; one day before is the least that shows it came first.
OWN_BUSINESS = 5
HEAD_START_US = 86_400_000_000
# Of the job's exchanges at most one in ten may come from a block that the holder uses for its own business.
COMMON_PLACE = 0.1
# A pool that relays customers sends them through the exits of its jobs; that a holder's and the job's networks do not
# meet at all is thus 2^6 to one for theft: a convention, reported with the finding.
THEFT_BITS = 6.0


@dataclass(frozen=True, slots=True)
class Member:
    """One account's part in one campaign. Times in microseconds since 1970 UTC; probability that the holder takes
    part; keys as (key, exchanges of the job)."""

    account_no: int
    role: Literal["member", "victim"]
    probability: float
    exchanges: int
    other: int
    first_us: int
    last_us: int
    keys: tuple[tuple[str, int], ...]
    places_shared: int
    theft: bool


def take_traffic(engine: DuckDB, campaigns: list[Candidate], workload_of: list[dict[int, int]]) -> None:
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


_PARTS = """
WITH own AS (
  SELECT m.campaign_no, m.account_no, t.exchange_no, t.time_us, t.block
  FROM campaign_members AS m JOIN traffic AS t ON t.account_no = m.account_no
  LEFT JOIN campaign_traffic AS c ON c.campaign_no = m.campaign_no AND c.exchange_no = t.exchange_no
  WHERE c.exchange_no IS NULL
), habits AS (
  SELECT campaign_no, account_no, count(*) AS other, min(time_us) AS own_first_us, max(time_us) AS own_last_us
  FROM own GROUP BY campaign_no, account_no
), places AS (
  SELECT DISTINCT campaign_no, account_no, block FROM own WHERE block IS NOT NULL
)
SELECT c.campaign_no, c.account_no, count(*) AS exchanges, min(c.time_us) AS first_us, max(c.time_us) AS last_us,
  count(c.block) AS placed, count(p.block) AS common, max(coalesce(h.other, 0)) AS other,
  max(h.own_first_us) AS own_first_us, max(h.own_last_us) AS own_last_us, max(m.probability_ppm) AS probability_ppm
FROM campaign_traffic AS c
JOIN campaign_members AS m ON m.campaign_no = c.campaign_no AND m.account_no = c.account_no
LEFT JOIN habits AS h ON h.campaign_no = c.campaign_no AND h.account_no = c.account_no
LEFT JOIN places AS p ON p.campaign_no = c.campaign_no AND p.account_no = c.account_no AND p.block = c.block
GROUP BY c.campaign_no, c.account_no
ORDER BY c.campaign_no, c.account_no
"""


def _stolen(row: dict[str, int]) -> bool:
    """Whether the job came into an account that had business of its own before, from places it never uses."""
    return (
        row["other"] >= OWN_BUSINESS
        and row["own_first_us"] + HEAD_START_US <= row["first_us"]
        and row["placed"] >= 2
        and row["common"] <= COMMON_PLACE * row["placed"]
    )


def members(engine: DuckDB) -> dict[int, list[Member]]:
    """For every campaign of `campaign_traffic` its members and victims, the most probable and busiest first."""
    keys: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for row in engine.query(
        "SELECT campaign_no, account_no, key_id, count(*) AS exchanges FROM campaign_traffic WHERE key_id IS NOT NULL "
        "GROUP BY campaign_no, account_no, key_id ORDER BY campaign_no, account_no, exchanges DESC, key_id"
    ).to_pylist():
        keys.setdefault((row["campaign_no"], row["account_no"]), []).append((row["key_id"], row["exchanges"]))
    found: dict[int, list[Member]] = {}
    for row in engine.query(_PARTS).to_pylist():
        theft = _stolen(row)
        probability = row["probability_ppm"] / 1e6
        if theft:
            odds = probability / max(1e-9, 1 - probability) * 2.0**-THEFT_BITS
            probability = odds / (1 + odds)
        found.setdefault(row["campaign_no"], []).append(
            Member(
                row["account_no"],
                "victim" if theft and probability < LIKELY else "member",
                probability,
                row["exchanges"],
                row["other"],
                row["first_us"],
                row["last_us"],
                tuple(keys.get((row["campaign_no"], row["account_no"]), [])),
                row["common"],
                theft,
            )
        )
    for several in found.values():
        several.sort(key=lambda m: (m.role == "victim", -round(m.probability, 3), -m.exchanges, m.account_no))
    return found
