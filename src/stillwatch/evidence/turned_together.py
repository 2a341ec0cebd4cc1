"""Accounts of a group that first used a new model on the same day, within three days of its release."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="turned_together",
    view="adaptation",
    claim="one_hand",
    sees="the same day on which a newly released model was first used",
    technique="AML.T0065",
    benign_causes=("everyone benchmarks a new model on release day",),
    explained_by=frozenset({"one_organisation", "cohort_event", "evaluation", "popular_artefact", "reseller"}),
    needs=("model", "models.released_at"),
    statement=shared("the day on which they turned to a new model"),
    sql="""
    SELECT t.account_no, t.model || ' ' || CAST(min(t.day) AS VARCHAR) AS value
    FROM traffic AS t
    JOIN models AS m ON m.model = t.model
    GROUP BY t.account_no, t.model, m.released_day
    HAVING min(t.day) BETWEEN m.released_day AND m.released_day + 3
    """,
    examples=(
        Example({"joined": 36, "chances": 39, "outsiders_hit": 60, "outsiders": 1000}, least=9),
        Example({"joined": 10, "chances": 39, "outsiders_hit": 400, "outsiders": 1000}, most=0.5),
    ),
)
