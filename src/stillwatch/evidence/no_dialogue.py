"""Whether the job is a dialogue with somebody or a row of single questions."""

from collections.abc import Mapping

from stillwatch.evidence.kind import Conduct, Example


def weigh(counts: Mapping[str, int]) -> dict[str, float] | None:
    """People and the assistants that serve them go on talking; a collector asks and leaves.

    Between one bit for (all single: applications do that as well) and one against (none: agents talk to themselves).
    A convention.
    """
    if counts["exchanges"] < 20:
        return None
    share = counts["single"] / counts["exchanges"]
    return {"application": 2.0 * share - 1.0, "evader": 2.0 * share - 1.0}


KIND = Conduct(
    name="no_dialogue",
    view="conduct",
    claim="extraction",
    sees="single requests that nobody answers",
    technique="AML.T0024.002",
    benign_causes=("classification, extraction and search applications",),
    explained_by=frozenset(),
    needs=("messages",),
    statement="{single} of {exchanges} exchanges are the first of their conversation",
    sql="""
    SELECT group_no, CAST(sum(messages) AS BIGINT) AS exchanges, CAST(sum(single) AS BIGINT) AS single
    FROM group_cells
    WHERE messages > 0
    GROUP BY group_no
    """,
    weigh=weigh,
    most={"application": 1.0, "evader": 1.0},
    examples=(
        Example({"exchanges": 1000, "single": 1000}, least=1),
        Example({"exchanges": 1000, "single": 100}, most=-0.5),
    ),
)
