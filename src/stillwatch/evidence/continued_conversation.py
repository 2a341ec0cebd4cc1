"""Conversations that one account begins and another of the group goes on with."""

from stillwatch.evidence.kind import Example, Link, shared

KIND = Link(
    name="continued_conversation",
    view="handover",
    claim="one_hand",
    sees="a conversation that goes on in another account",
    technique="AML.T0012",
    benign_causes=("a team that shares its chats", "somebody who opened a second account and pasted the old chat"),
    explained_by=frozenset({"one_organisation"}),
    needs=("history_hashes",),
    statement=shared("a conversation"),
    # A state of one conversation is sent once as the whole and once more as the beginning of the next turn; twice that
    # leaves room for a retry. What stands in more exchanges is a demonstration that a tool puts before every request.
    sql="""
    WITH seen AS (
      SELECT account_no, CAST(history AS VARCHAR) AS value FROM traffic WHERE history IS NOT NULL
      UNION ALL
      SELECT account_no, CAST(history_before AS VARCHAR) AS value FROM traffic WHERE history_before IS NOT NULL
    ), states AS (
      SELECT value FROM seen GROUP BY value HAVING count(*) <= 4
    )
    SELECT s.account_no, s.value FROM seen AS s JOIN states AS t ON t.value = s.value
    """,
    examples=(
        Example({"joined": 9, "chances": 19, "outsiders_hit": 2, "outsiders": 2000}, least=9),
        Example({"joined": 0, "chances": 19, "outsiders_hit": 1, "outsiders": 2000}, most=0),
    ),
)
