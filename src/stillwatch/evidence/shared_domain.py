"""E-mail domains that few but a group use."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="shared_domain",
    view="registration",
    claim="one_hand",
    sees="one e-mail domain on several accounts",
    technique="AML.T0021",
    benign_causes=("a company, a school or a popular mail provider",),
    explained_by=frozenset({"cohort_event", "one_organisation"}),
    needs=("accounts.email_domain",),
    statement=shared("an e-mail domain"),
    sql="""
    SELECT account_no, email_domain AS value FROM known_accounts WHERE email_domain IS NOT NULL
    """,
    examples=(
        Example({"joined": 15, "chances": 19, "outsiders_hit": 20, "outsiders": 2000}, least=9),
        Example({"joined": 18, "chances": 19, "outsiders_hit": 1900, "outsiders": 2000}, most=1),
    ),
)
