"""Blocks of addresses (/24, /48) from which several accounts of a group came."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="shared_block",
    view="infrastructure",
    claim="one_hand",
    sees="one block of addresses on several accounts",
    technique="AML.T0008.005",
    benign_causes=("an office, a campus or a small provider", "a cloud region"),
    explained_by=frozenset({"cohort_event", "reseller", "one_organisation"}),
    needs=("ip",),
    statement=shared("a block of addresses"),
    sql="""
    SELECT account_no, block AS value FROM traffic WHERE block IS NOT NULL
    """,
    examples=(
        Example({"joined": 31, "chances": 39, "outsiders_hit": 48, "outsiders": 367}, least=9),
        Example({"joined": 4, "chances": 23, "outsiders_hit": 48, "outsiders": 367}, most=0.5),
    ),
)
