"""Accounts of a group that run the same several jobs."""

from stillwatch.evidence.kind import Example, Link

KIND = Link(
    name="job_mix",
    view="content",
    claim="one_hand",
    sees="the same combination of recurring jobs on several accounts",
    technique="AML.T0024.002",
    benign_causes=("one open pipeline that has several steps", "one application with several features"),
    explained_by=frozenset({"popular_artefact", "cohort_event", "reseller", "one_organisation"}),
    needs=("prompt",),
    statement="{hit} of {members} accounts share a combination of recurring jobs with another of them; {outsiders_hit} of {outsiders} outside do",
    sql="""
    SELECT account_no, CAST(a AS VARCHAR) || ' ' || CAST(b AS VARCHAR) AS value
    FROM (SELECT x.account_no, x.job AS a, y.job AS b FROM account_jobs AS x JOIN account_jobs AS y ON y.account_no = x.account_no WHERE x.job < y.job)
    """,
    examples=(
        Example({"joined": 38, "chances": 39, "outsiders_hit": 0, "outsiders": 360}, least=9),
        Example({"joined": 0, "chances": 15, "outsiders_hit": 0, "outsiders": 360}, most=0),
    ),
)
