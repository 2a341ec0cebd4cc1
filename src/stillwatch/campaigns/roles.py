"""Members down to the exchange and the key; and holders of stolen keys, who are victims and not accused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from stillwatch.campaigns.search import LIKELY, Candidate
from stillwatch.engine import DuckDB

# What the holder of a stolen key looks like: business of its own, before the theft or in an account older than it, at
# places that the theft does not use. Five exchanges are the fewest that show a habit; a day is the least that shows
# that it came first; an account of thirty days was not made for the job (the disclosed pools' accounts lived for days
# to weeks).
OWN_BUSINESS = 5
HEAD_START_US = 86_400_000_000
AGED_US = 30 * 86_400_000_000
# A block of addresses is an account's home where a fifth or more of what it sends from there is not the job (an exit
# has a few exchanges of the job that were not recognised) and where fewer than one in twenty of the campaign's other
# accounts run the job (more is one of the pool's exits). Of the job four in five exchanges come from elsewhere; of the
# holder's own every second comes from home (the rest leaves room for exchanges of the job that were not recognised). A
# pool that relays customers sends both through the same exits.
HOME, EXIT = 4, 20
JOB_ELSEWHERE, OWN_AT_HOME = 0.8, 0.5
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


_PARTS = f"""
WITH every AS (
  SELECT m.campaign_no, m.account_no, t.time_us, t.block, CASE WHEN c.exchange_no IS NULL THEN 0 ELSE 1 END AS job
  FROM campaign_members AS m JOIN traffic AS t ON t.account_no = m.account_no
  LEFT JOIN campaign_traffic AS c ON c.campaign_no = m.campaign_no AND c.exchange_no = t.exchange_no
  LEFT JOIN (SELECT DISTINCT exchange_no FROM campaign_traffic) AS x ON x.exchange_no = t.exchange_no
  WHERE c.exchange_no IS NOT NULL OR x.exchange_no IS NULL
), blocks AS (
  SELECT campaign_no, account_no, block, CAST(sum(job) AS BIGINT) AS job, CAST(sum(1 - job) AS BIGINT) AS own,
    min(time_us) AS first_us, min(CASE WHEN job = 1 THEN time_us END) AS job_first_us
  FROM every WHERE block IS NOT NULL GROUP BY campaign_no, account_no, block
), users AS (
  SELECT campaign_no, block, count(*) AS users FROM blocks WHERE job > 0 GROUP BY campaign_no, block
), sizes AS (
  SELECT campaign_no, count(*) AS accounts FROM campaign_members GROUP BY campaign_no
), places AS (
  SELECT b.campaign_no, b.account_no, b.job, b.own, b.first_us, b.job_first_us,
    CASE
      WHEN b.own > 0 AND {HOME} * b.own >= b.job
        AND {EXIT} * (coalesce(u.users, 0) - CASE WHEN b.job > 0 THEN 1 ELSE 0 END) < z.accounts THEN 1
      ELSE 0
    END AS is_home
  FROM blocks AS b
  JOIN sizes AS z ON z.campaign_no = b.campaign_no
  LEFT JOIN users AS u ON u.campaign_no = b.campaign_no AND u.block = b.block
), homes AS (
  SELECT campaign_no, account_no, CAST(sum(job) AS BIGINT) AS job_placed, CAST(sum(own) AS BIGINT) AS own_placed,
    CAST(sum(job * (1 - is_home)) AS BIGINT) AS job_away, CAST(sum(own * is_home) AS BIGINT) AS own_home,
    min(CASE WHEN is_home = 0 THEN job_first_us END) AS away_first_us,
    min(CASE WHEN is_home = 1 THEN first_us END) AS home_first_us
  FROM places GROUP BY campaign_no, account_no
), spans AS (
  SELECT campaign_no, account_no, CAST(sum(job) AS BIGINT) AS exchanges, CAST(sum(1 - job) AS BIGINT) AS other,
    min(CASE WHEN job = 1 THEN time_us END) AS first_us, max(CASE WHEN job = 1 THEN time_us END) AS last_us
  FROM every GROUP BY campaign_no, account_no
)
SELECT s.campaign_no, s.account_no, s.exchanges, s.other, s.first_us, s.last_us, h.away_first_us, h.home_first_us,
  coalesce(h.job_placed, 0) AS job_placed, coalesce(h.own_placed, 0) AS own_placed,
  coalesce(h.job_away, 0) AS job_away, coalesce(h.own_home, 0) AS own_home, m.probability_ppm,
  k.created_hour * 3600000000 AS created_us
FROM spans AS s
JOIN campaign_members AS m ON m.campaign_no = s.campaign_no AND m.account_no = s.account_no
LEFT JOIN homes AS h ON h.campaign_no = s.campaign_no AND h.account_no = s.account_no
LEFT JOIN known_accounts AS k ON k.account_no = s.account_no
WHERE s.exchanges > 0
ORDER BY s.campaign_no, s.account_no
"""


def _stolen(row: dict[str, int | None]) -> bool:
    """Whether the job came from elsewhere into an account that has business of its own at home."""
    away, home, created = row["away_first_us"], row["home_first_us"], row["created_us"]
    if away is None or home is None:
        return False
    counted = {k: v or 0 for k, v in row.items()}
    came_first = home + HEAD_START_US <= away
    aged = created is not None and created + AGED_US <= away
    return (
        (came_first or aged)
        and counted["own_home"] >= OWN_BUSINESS
        and counted["own_home"] >= OWN_AT_HOME * counted["own_placed"]
        and counted["job_away"] >= max(2.0, JOB_ELSEWHERE * counted["job_placed"])
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
                row["job_placed"] - row["job_away"],
                theft,
            )
        )
    for several in found.values():
        several.sort(key=lambda m: (m.role == "victim", -round(m.probability, 3), -m.exchanges, m.account_no))
    return found
