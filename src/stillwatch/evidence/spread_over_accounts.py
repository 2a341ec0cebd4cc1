"""One job that runs through many accounts which nobody declares to belong together."""

import math
from collections.abc import Mapping

from stillwatch.evidence.kind import Conduct, Example


def weigh(counts: Mapping[str, int]) -> dict[str, float] | None:
    """An application needs one account; the same job over many that hide a common owner is how limits are evaded.

    One bit for every doubling of the accounts, three at most (8 accounts); three against where one organisation is
    declared by most of them. The more of them show one common origin (one card, device, telephone, mail address, or
    place from which half of their traffic comes), the less is hidden, and nothing where two in three do. Accounts count
    as the inverse of Simpson's index of who sends how much, so that a job which one account runs and others touch is
    not spread.
    """
    if counts["owned"] >= 0.5 * counts["accounts"]:
        return {"application": -3.0}
    hidden = max(0.0, 1.0 - 1.5 * counts["one_origin"] / max(1, counts["accounts"]))
    effective = counts["exchanges"] ** 2 / max(1, counts["squares"])
    return {"application": hidden * min(3.0, math.log2(max(1.0, effective)))}


KIND = Conduct(
    name="spread_over_accounts",
    view="conduct",
    claim="extraction",
    sees="one job divided over accounts without a common declared owner",
    technique="AML.T0021",
    benign_causes=("unrelated users of one tool", "accounts of a company that never filled in its organisation"),
    explained_by=frozenset(),
    needs=("time",),
    statement="the job runs through {accounts} accounts; the commonest declared organisation has {owned} of them, and "
    "{one_origin} show one common origin",
    sql="""
    SELECT g.group_no, max(g.accounts) AS accounts, max(g.exchanges) AS exchanges, max(g.squares) AS squares,
      coalesce(max(o.owned), 0) AS owned, coalesce(max(v.holders), 0) AS one_origin
    FROM (
      SELECT group_no, count(*) AS accounts, CAST(sum(sent) AS BIGINT) AS exchanges,
        CAST(sum(sent * sent) AS BIGINT) AS squares
      FROM (
        SELECT group_no, account_no, CAST(sum(exchanges) AS BIGINT) AS sent
        FROM group_cells
        GROUP BY group_no, account_no
      ) AS a
      GROUP BY group_no
    ) AS g
    LEFT JOIN (
      SELECT c.group_no, k.organization_id, count(*) AS owned
      FROM candidates AS c
      JOIN known_accounts AS k ON k.account_no = c.account_no
      WHERE k.organization_id IS NOT NULL
      GROUP BY c.group_no, k.organization_id
    ) AS o ON o.group_no = g.group_no
    LEFT JOIN (
      SELECT c.group_no, w.origin, count(*) AS holders
      FROM candidates AS c
      JOIN origins AS w ON w.account_no = c.account_no
      GROUP BY c.group_no, w.origin
    ) AS v ON v.group_no = g.group_no
    GROUP BY g.group_no
    """,
    weigh=weigh,
    most={"application": 3.0},
    examples=(
        Example({"accounts": 40, "owned": 0, "exchanges": 4000, "squares": 400_000, "one_origin": 39}, most=0),
        Example({"accounts": 40, "owned": 0, "exchanges": 4000, "squares": 400_000, "one_origin": 6}, least=2.3),
        Example({"accounts": 28, "owned": 0, "exchanges": 140, "squares": 720, "one_origin": 18}, most=0.2),
        Example({"accounts": 40, "owned": 40, "exchanges": 4000, "squares": 400_000, "one_origin": 0}, most=-3),
    ),
)
