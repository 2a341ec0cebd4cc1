"""Accounts of a group that were opened within the same hour."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="signup_burst",
    view="registration",
    claim="one_hand",
    sees="accounts opened in the same hour",
    technique="AML.T0021",
    benign_causes=("a class or a workshop signing up together", "a product launch"),
    explained_by=frozenset({"cohort_event", "one_organisation"}),
    needs=("accounts.created_at",),
    statement=shared("the hour in which they were opened"),
    sql="""
    SELECT account_no, CAST(created_hour AS VARCHAR) AS value FROM known_accounts WHERE created_hour IS NOT NULL
    """,
    examples=(
        Example({"joined": 15, "chances": 19, "outsiders_hit": 60, "outsiders": 2000}, least=9),
        Example({"joined": 1, "chances": 19, "outsiders_hit": 150, "outsiders": 2000}, most=0),
    ),
)
