"""Client stacks (agent and TLS fingerprint) that few but a group use."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="shared_client",
    view="infrastructure",
    claim="one_hand",
    sees="one unusual pair of user agent and TLS fingerprint on several accounts",
    technique="AML.T0008.005",
    benign_causes=("a popular library or one version of it", "a framework that fixes its own client"),
    explained_by=frozenset({"popular_artefact", "cohort_event", "reseller", "one_organisation"}),
    needs=("user_agent",),
    statement=shared("an unusual client stack"),
    sql="""
    SELECT account_no, user_agent || ' ' || coalesce(tls_fingerprint, '') AS value
    FROM traffic
    WHERE user_agent IS NOT NULL
    """,
    examples=(
        Example({"joined": 38, "chances": 39, "outsiders_hit": 10, "outsiders": 400}, least=9),
        Example({"joined": 39, "chances": 39, "outsiders_hit": 380, "outsiders": 400}, most=1),
    ),
)
