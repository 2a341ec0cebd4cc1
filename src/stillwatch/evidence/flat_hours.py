"""Accounts of a group that work through hours in which people sleep."""

from stillwatch.evidence.kind import Example, Trait

KIND = Trait(
    name="flat_hours",
    view="timing",
    claim="one_hand",
    sees="activity spread over the hours of the day as few accounts spread it",
    technique="AML.T0024.002",
    benign_causes=("nightly evaluations and backfills", "an application with users in every time zone"),
    explained_by=frozenset({"popular_artefact", "one_organisation", "reseller"}),
    needs=("time",),
    statement="{hit} of {members} accounts spread their work over the day as 1 in 20 outside do ({outsiders_hit} of "
    "{outsiders})",
    # Forty-eight exchanges: two for each hour of the day, so that an idle hour is not chance.
    sql="""
    SELECT account_no, hours AS part, 24 AS whole FROM parties WHERE exchanges >= 48
    """,
    examples=(
        Example({"joined": 18, "chances": 19, "outsiders_hit": 100, "outsiders": 2000}, least=9),
        Example({"joined": 1, "chances": 19, "outsiders_hit": 100, "outsiders": 2000}, most=0.5),
    ),
)
