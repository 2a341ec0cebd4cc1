"""How much of what the accounts send is this job."""

from collections.abc import Mapping

from stillwatch.evidence.kind import Conduct, Example


def weigh(counts: Mapping[str, int]) -> dict[str, float] | None:
    """A reseller's accounts carry everybody's jobs; an account made for one job carries it. Pools that hide a job among
    relayed customers carry less of it, so that a low share weighs little.

    Linear from one bit against a reseller (none) to four for (all). The same against somebody who evades limits for
    ordinary use, which does not repeat one instruction.
    """
    bits = 5.0 * counts["job"] / max(1, counts["everything"]) - 1.0
    return {"reseller": bits, "evader": bits}


KIND = Conduct(
    name="main_business",
    view="conduct",
    claim="extraction",
    sees="accounts that do little but this job",
    technique="AML.T0024.002",
    benign_causes=("a customer with a single application",),
    explained_by=frozenset(),
    needs=("prompt",),
    statement="the job is {job} of the accounts' {everything} exchanges",
    sql="""
    SELECT g.group_no, g.job, s.everything
    FROM (SELECT group_no, CAST(sum(exchanges) AS BIGINT) AS job FROM group_cells GROUP BY group_no) AS g
    JOIN (
      SELECT c.group_no, CAST(sum(p.exchanges) AS BIGINT) AS everything
      FROM candidates AS c
      JOIN parties AS p ON p.account_no = c.account_no
      GROUP BY c.group_no
    ) AS s ON s.group_no = g.group_no
    """,
    weigh=weigh,
    most={"reseller": 4.0, "evader": 4.0},
    examples=(
        Example({"job": 990, "everything": 1000}, least=3.5),
        Example({"job": 10, "everything": 1000}, most=0),
    ),
)
