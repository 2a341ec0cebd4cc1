"""Accounts of a group that run several of its jobs."""

from collections.abc import Mapping

from stillwatch.evidence.kind import Conduct, Example


def weigh(counts: Mapping[str, int]) -> dict[str, float] | None:
    """Strangers come to a public prompt for one thing; one hand gives its accounts several of its jobs.

    One bit where most accounts run more than one job, since the steps of an open pipeline come together as well:
    content alone tells little, and which accounts it joins is weighed account by account in `membership`.
    """
    if counts["jobs"] < 2 or 2 * counts["several"] <= counts["accounts"]:
        return None
    return {"popular_artefact": 1.0}


KIND = Conduct(
    name="job_mix",
    view="content",
    claim="one_hand",
    sees="accounts that run several of the same recurring jobs",
    technique="AML.T0024.002",
    benign_causes=("one open pipeline that has several steps", "one application with several features"),
    explained_by=frozenset(),
    needs=("prompt",),
    statement="{several} of {accounts} accounts run more than one of the {jobs} jobs",
    sql="""
    SELECT group_no, count(*) AS accounts, max(all_jobs) AS jobs,
      CAST(sum(CASE WHEN jobs > 1 THEN 1 ELSE 0 END) AS BIGINT) AS several
    FROM (
      SELECT g.group_no, a.account_no, count(*) AS jobs
      FROM group_jobs AS g
      JOIN account_jobs AS a ON a.job = g.job
      JOIN candidates AS c ON c.group_no = g.group_no AND c.account_no = a.account_no
      GROUP BY g.group_no, a.account_no
    ) AS x
    JOIN (SELECT group_no AS number, count(*) AS all_jobs FROM group_jobs GROUP BY group_no) AS n
      ON n.number = x.group_no
    GROUP BY group_no
    """,
    weigh=weigh,
    most={"popular_artefact": 1.0},
    examples=(
        Example({"accounts": 40, "several": 39, "jobs": 3}, least=1),
        Example({"accounts": 24, "several": 2, "jobs": 3}, most=0),
    ),
)
