"""Whether the job is sent with ever new payloads, or repeats itself."""

from collections.abc import Mapping

from stillwatch.evidence.kind import Conduct, Example


def weigh(counts: Mapping[str, int]) -> dict[str, float] | None:
    """A test suite or benchmark sends the same prompts again; a collector pays for every answer once.

    Linear in the share of different prompts, four bits (16 to 1) at either end and none at a half: a convention.
    """
    if counts["exchanges"] < 20:
        return None
    share = counts["prompts"] / counts["exchanges"]
    return {"evaluation": 8.0 * (share - 0.5)}


KIND = Conduct(
    name="payload_variety",
    view="conduct",
    claim="extraction",
    sees="many different payloads around one instruction",
    technique="AML.T0024.002",
    benign_causes=("a batch job over a company's own documents",),
    explained_by=frozenset(),
    needs=("prompt",),
    statement="{prompts} of {exchanges} prompts were different",
    sql="""
    SELECT c.group_no, c.exchanges, c.own_prompts + coalesce(p.prompts, 0) AS prompts
    FROM (
      SELECT group_no, CAST(sum(prompts) AS BIGINT) AS exchanges, CAST(sum(own_prompts) AS BIGINT) AS own_prompts
      FROM group_cells
      GROUP BY group_no
    ) AS c
    LEFT JOIN (
      SELECT group_no, count(*) AS prompts FROM (SELECT DISTINCT group_no, value FROM group_prompts) GROUP BY group_no
    ) AS p ON p.group_no = c.group_no
    """,
    weigh=weigh,
    most={"evaluation": 4.0},
    examples=(
        Example({"exchanges": 1000, "prompts": 990}, least=3),
        Example({"exchanges": 1000, "prompts": 40}, most=-3),
    ),
)
