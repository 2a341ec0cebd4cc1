"""What the job's shared text asks for."""

from collections.abc import Mapping

from stillwatch.evidence.kind import Conduct, Example


def weigh(counts: Mapping[str, int]) -> dict[str, float] | None:
    """Reasoning, grading, generated instructions and agent traces are what training data is made of; everyone asks for
    them too. Content alone tells little (AUC 0.55 on unseen sources), which is worth about a bit and a half at best,
    and nothing where most jobs ask for something else, or for what could not be read.
    """
    if 2 * counts["asking"] < counts["jobs"]:
        return None
    return {"application": 1.5, "evader": 1.5}


KIND = Conduct(
    name="asks_for",
    view="content",
    claim="extraction",
    sees="instructions whose answers are training data: reasoning, grades, instructions, agent traces",
    technique="AML.T0024.002",
    benign_causes=("auditors who ask for reasoning", "judges of answers in an evaluation", "ordinary curiosity"),
    explained_by=frozenset(),
    needs=("prompt",),
    statement="{asking} of the {jobs} recurring jobs ask for reasoning, grades, new instructions or agent traces",
    sql="""
    SELECT j.group_no, count(DISTINCT j.job) AS jobs, count(DISTINCT i.job) AS asking
    FROM group_jobs AS j
    LEFT JOIN (
      SELECT job FROM job_intents WHERE intent IN ('reasoning', 'grading', 'instruction_generation', 'tool_use')
    ) AS i ON i.job = j.job
    GROUP BY j.group_no
    """,
    weigh=weigh,
    most={"application": 1.5, "evader": 1.5},
    examples=(
        Example({"jobs": 3, "asking": 3}, least=1.5),
        Example({"jobs": 3, "asking": 0}, most=0),
        Example({"jobs": 4, "asking": 1}, most=0),
    ),
)
