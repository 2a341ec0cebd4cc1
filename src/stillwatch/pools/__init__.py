"""Accounts under common control: who of a group one hand runs, which groups are one pool, and whom links alone join."""

from stillwatch.pools.communities import communities
from stillwatch.pools.membership import FOR_A_PERSON, Business, hands, membership
from stillwatch.pools.merge import merged, with_their_jobs
from stillwatch.pools.parts import main_jobs, parts
from stillwatch.pools.periods import Sent, run_apart
from stillwatch.pools.senders import Senders

__all__ = [
    "FOR_A_PERSON",
    "Business",
    "Senders",
    "Sent",
    "communities",
    "hands",
    "main_jobs",
    "membership",
    "merged",
    "parts",
    "run_apart",
    "with_their_jobs",
]
