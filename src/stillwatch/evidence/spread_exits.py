"""Whether what members share is one place, or exits all over the net."""

import math
from collections.abc import Mapping

from stillwatch.evidence.kind import Conduct, Example


def weigh(counts: Mapping[str, int]) -> dict[str, float] | None:
    """A class, an office or a company shares one place; a proxy pool shares exits in many networks.

    Every further network halves the belief in one place: two bits for every doubling, eight at most. An application, or
    a person who evades limits, calls from where it runs, which needs no exits; so many networks speak against these as
    well, a bit and a half for every doubling over four, three at most; fewer speak for them, by a bit and a half at
    most. Conventions.
    """
    if counts["networks"] < 1:
        return None
    doublings = math.log2(counts["networks"])
    elsewhere = max(-1.5, min(3.0, 1.5 * (doublings - 2.0)))
    return {
        "cohort_event": min(8.0, 2.0 * doublings),
        "one_organisation": min(3.0, 2.0 * doublings),
        "application": elsewhere,
        "evader": elsewhere,
    }


KIND = Conduct(
    name="spread_exits",
    view="infrastructure",
    claim="one_hand",
    sees="shared exits in many unrelated networks",
    technique="AML.T0008.005",
    benign_causes=("a large commercial VPN",),
    explained_by=frozenset(),
    needs=("ip",),
    statement="the addresses that members share lie in {networks} networks",
    sql="""
    SELECT group_no, count(DISTINCT network) AS networks
    FROM (
      SELECT c.group_no, t.network, t.ip
      FROM candidates AS c
      JOIN account_exits AS t ON t.account_no = c.account_no
      GROUP BY c.group_no, t.network, t.ip
      HAVING count(DISTINCT t.account_no) > 1
    )
    GROUP BY group_no
    """,
    weigh=weigh,
    most={"cohort_event": 8.0, "one_organisation": 3.0, "application": 3.0, "evader": 3.0},
    examples=(
        Example({"networks": 30}, least=6),
        Example({"networks": 1}, most=0),
    ),
)
