"""Addresses from which several accounts of a group came."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="shared_exit",
    view="infrastructure",
    claim="one_hand",
    sees="one address on several accounts",
    technique="AML.T0008.005",
    benign_causes=(
        "a commercial VPN or carrier-grade NAT",
        "an office or campus",
        "a hosting provider that reuses addresses",
    ),
    explained_by=frozenset({"cohort_event", "reseller", "one_organisation"}),
    needs=("ip",),
    statement=shared("an address"),
    sql="""
    SELECT account_no, ip AS value FROM traffic WHERE ip IS NOT NULL
    """,
    examples=(
        Example({"joined": 31, "chances": 39, "outsiders_hit": 48, "outsiders": 367}, least=9),
        Example({"joined": 4, "chances": 23, "outsiders_hit": 48, "outsiders": 367}, most=0.5),
    ),
)
