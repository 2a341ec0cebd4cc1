"""Devices from which several accounts of a group were opened."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="shared_device",
    view="identity",
    claim="one_hand",
    sees="one device on several accounts",
    technique="AML.T0021",
    benign_causes=("a shared computer in a lab or a library", "an administrator who sets up accounts for a team"),
    explained_by=frozenset({"cohort_event", "one_organisation"}),
    needs=("accounts.device_fingerprint",),
    statement=shared("a device"),
    sql="""
    SELECT account_no, device_fingerprint AS value FROM known_accounts WHERE device_fingerprint IS NOT NULL
    """,
    kin=True,
    examples=(
        Example({"joined": 9, "chances": 19, "outsiders_hit": 2, "outsiders": 2000}, least=9),
        Example({"joined": 0, "chances": 19, "outsiders_hit": 1, "outsiders": 2000}, most=0),
    ),
)
