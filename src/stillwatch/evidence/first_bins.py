"""Accounts of a group that began to send in the same ten minutes."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="first_bins",
    view="timing",
    claim="one_hand",
    sees="the same ten minutes in which accounts first sent",
    technique="AML.T0008.005",
    benign_causes=("a workshop", "a log that begins for everyone at once"),
    explained_by=frozenset({"cohort_event", "reseller", "one_organisation"}),
    needs=("time",),
    statement=shared("the ten minutes in which they first sent"),
    sql="""
    SELECT account_no, CAST(min(bin) AS VARCHAR) AS value FROM traffic GROUP BY account_no
    """,
    examples=(
        Example({"joined": 15, "chances": 19, "outsiders_hit": 60, "outsiders": 2000}, least=9),
        Example({"joined": 18, "chances": 19, "outsiders_hit": 1800, "outsiders": 2000}, most=1),
    ),
)
