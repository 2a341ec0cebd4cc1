"""Whether the accounts pass on customers of their own."""

from collections.abc import Mapping

from stillwatch.evidence.kind import Conduct, Example


def weigh(counts: Mapping[str, int]) -> dict[str, float] | None:
    """An application or a reseller passes its customers on; a collector has none.

    Six bits against (64 to 1) where most exchanges do, through most of the accounts, with many different users; and
    nothing where none do: few applications fill in the field. One application passes them on wherever it runs, so a
    few accounts that do speak for themselves only.
    """
    most = 2 * counts["passed_on"] > counts["exchanges"] and 2 * counts["passing"] > counts["accounts"]
    if not most or counts["end_users"] < 10:
        return None
    return {"application": -6.0, "reseller": -6.0}


KIND = Conduct(
    name="end_users",
    view="conduct",
    claim="extraction",
    sees="exchanges that name the account's own end users",
    technique="AML.T0024.002",
    benign_causes=("an application that serves the public",),
    explained_by=frozenset(),
    needs=("end_user_id",),
    statement="{passed_on} of {exchanges} exchanges name an end user, {end_users} different ones; {passing} of "
    "{accounts} accounts mostly do",
    sql="""
    SELECT c.group_no, c.exchanges, c.passed_on, c.accounts, c.passing,
      c.own_end_users + coalesce(u.end_users, 0) AS end_users
    FROM (
      SELECT group_no, CAST(sum(exchanges) AS BIGINT) AS exchanges, CAST(sum(passed_on) AS BIGINT) AS passed_on,
        CAST(sum(own_end_users) AS BIGINT) AS own_end_users, count(*) AS accounts,
        CAST(sum(CASE WHEN 2 * passed_on >= exchanges THEN 1 ELSE 0 END) AS BIGINT) AS passing
      FROM (
        SELECT group_no, account_no, CAST(sum(exchanges) AS BIGINT) AS exchanges,
          CAST(sum(passed_on) AS BIGINT) AS passed_on, CAST(sum(own_end_users) AS BIGINT) AS own_end_users
        FROM group_cells
        GROUP BY group_no, account_no
      ) AS a
      GROUP BY group_no
    ) AS c
    LEFT JOIN (
      SELECT group_no, count(*) AS end_users
      FROM (SELECT DISTINCT group_no, value FROM group_end_users)
      GROUP BY group_no
    ) AS u ON u.group_no = c.group_no
    """,
    weigh=weigh,
    most={},
    examples=(
        Example({"exchanges": 1000, "passed_on": 980, "end_users": 300, "accounts": 8, "passing": 8}, most=-6),
        Example({"exchanges": 300, "passed_on": 180, "end_users": 30, "accounts": 8, "passing": 4}, least=0),
        Example({"exchanges": 1000, "passed_on": 0, "end_users": 0, "accounts": 8, "passing": 0}, least=0),
    ),
)
