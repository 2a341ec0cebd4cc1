"""Cards and bank accounts that pay for several of a group. Where a programme sponsors an account, the card is the
sponsor's and says nothing of who is in control."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="shared_payment",
    view="identity",
    claim="one_hand",
    sees="one payment instrument on several accounts",
    technique="AML.T0021",
    benign_causes=("a family or a team on one card", "an agency paying for its clients", "a reseller"),
    explained_by=frozenset({"one_organisation", "reseller"}),
    needs=("accounts.payment_fingerprint",),
    statement=shared("a payment instrument"),
    sql="""
    SELECT account_no, payment_fingerprint AS value FROM known_accounts
    WHERE payment_fingerprint IS NOT NULL AND programme IS NULL
    """,
    kin=True,
    examples=(
        Example({"joined": 9, "chances": 19, "outsiders_hit": 2, "outsiders": 2000}, least=9),
        Example({"joined": 0, "chances": 19, "outsiders_hit": 1, "outsiders": 2000}, most=0),
    ),
)
