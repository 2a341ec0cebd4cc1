"""Whether a group's accounts split one list of payloads between them, or repeat one another."""

from collections.abc import Mapping

from stillwatch.evidence.kind import Conduct, Example


def weigh(counts: Mapping[str, int]) -> dict[str, float] | None:
    """Strangers with the same exercise or benchmark send the same payloads; one hand does not pay twice for one.

    Of the payloads that at least two accounts could have sent, how many did more than one send? Under a common list
    that everybody works through, most (taken as uniform over 0.5 to 1); under a divided list hardly any (Beta(1, 19),
    5% repeats). The likelihood ratio of the two, held within six bits since the rates are conventions and not measured.
    Unrelated users with data of their own repeat as little: against them this says nothing when low. Of classes and
    workshops about half (a convention) let everybody bring data of their own: against them it is worth one bit.
    """
    prompts, repeated = counts["prompts"], counts["repeated"]
    if prompts < 20:
        return None
    share = repeated / prompts
    if share < 0.05:
        return {"cohort_event": 1.0, "evaluation": 3.0}
    if share > 0.3:
        return {"*": -3.0, "cohort_event": -6.0, "evaluation": -6.0}
    return {}


KIND = Conduct(
    name="divided_list",
    view="partition",
    claim="one_hand",
    sees="payloads that only one account of the group sends",
    technique="AML.T0024.002",
    benign_causes=("unrelated users, each with data of their own",),
    explained_by=frozenset({"popular_artefact"}),
    needs=("prompt",),
    statement="{repeated} of {prompts} different payloads were sent by more than one of the accounts",
    sql="""
    SELECT c.group_no, c.own_prompts + coalesce(p.prompts, 0) AS prompts, coalesce(p.repeated, 0) AS repeated
    FROM (
      SELECT group_no, CAST(sum(own_prompts) AS BIGINT) AS own_prompts FROM group_cells WHERE prompts > 0
      GROUP BY group_no
    ) AS c
    LEFT JOIN (
      SELECT group_no, count(*) AS prompts, CAST(sum(CASE WHEN accounts > 1 THEN 1 ELSE 0 END) AS BIGINT) AS repeated
      FROM (
        SELECT group_no, value, count(DISTINCT account_no) AS accounts FROM group_prompts GROUP BY group_no, value
      )
      GROUP BY group_no
    ) AS p ON p.group_no = c.group_no
    """,
    weigh=weigh,
    most={"cohort_event": 1.0, "evaluation": 3.0},
    examples=(
        Example({"prompts": 1600, "repeated": 3}, least=3),
        Example({"prompts": 40, "repeated": 38}, most=-3),
    ),
)
