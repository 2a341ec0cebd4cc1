"""Conversations that one account begins and another of the group goes on with."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="continued_conversation",
    view="handover",
    claim="one_hand",
    sees="a conversation that goes on in another account",
    technique="AML.T0012",
    benign_causes=("a team that shares its chats", "a public agent that replays one demonstration"),
    explained_by=frozenset({"popular_artefact", "one_organisation"}),
    needs=("history_hashes",),
    statement=shared("a conversation"),
    sql="""
    SELECT account_no, CAST(history AS VARCHAR) AS value FROM traffic WHERE history IS NOT NULL
    UNION ALL
    SELECT account_no, CAST(history_before AS VARCHAR) AS value FROM traffic WHERE history_before IS NOT NULL
    """,
    examples=(
        Example({"joined": 9, "chances": 19, "outsiders_hit": 2, "outsiders": 2000}, least=9),
        Example({"joined": 0, "chances": 19, "outsiders_hit": 1, "outsiders": 2000}, most=0),
    ),
)
