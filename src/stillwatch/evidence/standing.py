"""What the provider has agreed with the accounts."""

from collections.abc import Mapping

from stillwatch.evidence.kind import Conduct, Example


def weigh(counts: Mapping[str, int]) -> dict[str, float] | None:
    """A contract is a fact that most of a group has or has not; one openly declared organisation hides nothing.

    Eight bits against where most have a contract; four for (16 to 1, for contracts that are kept elsewhere) where one
    hand has none, and three more against one organisation where no common owner is declared: hiding a common owner is
    what unsanctioned use does. Conventions.
    """
    if counts["known"] < 0.5 * counts["accounts"]:
        return None
    open_owner = counts["owned"] >= 0.5 * counts["accounts"]
    contract = -8.0 if counts["contract"] >= 0.5 * counts["accounts"] else 4.0
    return {"contract": contract, "one_organisation": -4.0 if open_owner else 3.0}


KIND = Conduct(
    name="standing",
    view="standing",
    claim="unsanctioned",
    sees="contracts, and one declared organisation",
    technique="AML.T0021",
    benign_causes=("an account whose contract is kept elsewhere",),
    explained_by=frozenset(),
    needs=("accounts.verification",),
    statement="{contract} of {accounts} accounts have a contract, {identity} a verified identity; {banned} are banned; "
    "the commonest organisation has {owned}",
    sql="""
    SELECT g.group_no, g.accounts, g.known, g.contract, g.identity, g.banned, coalesce(max(o.owned), 0) AS owned
    FROM (
      SELECT c.group_no, count(*) AS accounts, count(k.account_no) AS known,
        CAST(sum(CASE WHEN k.verification = 'contract' THEN 1 ELSE 0 END) AS BIGINT) AS contract,
        CAST(sum(CASE WHEN k.verification = 'identity' THEN 1 ELSE 0 END) AS BIGINT) AS identity,
        CAST(sum(CASE WHEN k.status = 'banned' THEN 1 ELSE 0 END) AS BIGINT) AS banned
      FROM candidates AS c
      LEFT JOIN known_accounts AS k ON k.account_no = c.account_no
      GROUP BY c.group_no
    ) AS g
    LEFT JOIN (
      SELECT c.group_no, k.organization_id, count(*) AS owned
      FROM candidates AS c
      JOIN known_accounts AS k ON k.account_no = c.account_no
      WHERE k.organization_id IS NOT NULL
      GROUP BY c.group_no, k.organization_id
    ) AS o ON o.group_no = g.group_no
    GROUP BY g.group_no, g.accounts, g.known, g.contract, g.identity, g.banned
    """,
    weigh=weigh,
    most={"contract": 4.0, "one_organisation": 3.0},
    examples=(
        Example({"accounts": 40, "known": 40, "contract": 0, "identity": 2, "banned": 4, "owned": 1}, least=3),
        Example({"accounts": 40, "known": 40, "contract": 40, "identity": 0, "banned": 0, "owned": 0}, most=-8),
    ),
)
