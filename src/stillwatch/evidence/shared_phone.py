"""Telephone numbers that verified several accounts of a group."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="shared_phone",
    view="identity",
    claim="one_hand",
    sees="one telephone number on several accounts",
    technique="AML.T0021",
    benign_causes=("a family or an office on one number",),
    explained_by=frozenset({"one_organisation"}),
    needs=("accounts.phone_hash",),
    statement=shared("a telephone number"),
    sql="""
    SELECT account_no, phone_hash AS value FROM known_accounts WHERE phone_hash IS NOT NULL
    """,
    kin=True,
    examples=(
        Example({"joined": 9, "chances": 19, "outsiders_hit": 2, "outsiders": 2000}, least=9),
        Example({"joined": 0, "chances": 19, "outsiders_hit": 1, "outsiders": 2000}, most=0),
    ),
)
