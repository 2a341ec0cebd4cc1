"""E-mail addresses that, once normalised, belong to several accounts of a group."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="shared_email",
    view="identity",
    claim="one_hand",
    sees="one normalised e-mail address on several accounts",
    technique="AML.T0021",
    benign_causes=("a person who opened a second account after losing the first",),
    explained_by=frozenset({"one_organisation"}),
    needs=("accounts.email_hash",),
    statement=shared("an e-mail address"),
    sql="""
    SELECT account_no, email_hash AS value FROM known_accounts WHERE email_hash IS NOT NULL
    """,
    kin=True,
    examples=(
        Example({"joined": 9, "chances": 19, "outsiders_hit": 2, "outsiders": 2000}, least=9),
        Example({"joined": 0, "chances": 19, "outsiders_hit": 1, "outsiders": 2000}, most=0),
    ),
)
