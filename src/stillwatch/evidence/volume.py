"""How much was collected in all."""

import math
from collections.abc import Mapping

from stillwatch.evidence.kind import Conduct, Example

# Fewer examples than this train little: OpenAI's guide to fine-tuning speaks of clear improvements from 50 to 100.
LEAST_TRAINED_ON = 100


def weigh(counts: Mapping[str, int]) -> dict[str, float] | None:
    """Training needs examples: below a hundred every halving makes a collector half as likely, four bits at most.

    One person's ordinary use is seldom much above that in one instruction: against somebody who evades limits every
    doubling counts for, three bits at most. Applications, tests and resellers may be of any size. Conventions but for
    the hundred.
    """
    bits = math.log2(max(1, counts["exchanges"]) / LEAST_TRAINED_ON)
    return {"*": max(-4.0, min(0.0, bits)), "evader": max(-4.0, min(3.0, bits))}


KIND = Conduct(
    name="volume",
    view="conduct",
    claim="extraction",
    sees="as many exchanges as training takes",
    technique="AML.T0024.002",
    benign_causes=("an application with many users", "a batch job over a company's own documents"),
    explained_by=frozenset(),
    needs=("time",),
    statement="{exchanges} exchanges carry the job",
    sql="""
    SELECT group_no, CAST(sum(exchanges) AS BIGINT) AS exchanges FROM group_cells GROUP BY group_no
    """,
    weigh=weigh,
    most={"evader": 3.0},
    examples=(
        Example({"exchanges": 16_000}, least=2),
        Example({"exchanges": 6}, most=-4),
    ),
)
