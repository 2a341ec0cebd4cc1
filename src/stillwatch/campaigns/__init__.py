"""Pools x workloads -> judged campaigns, their members and their victims."""

from stillwatch.campaigns.judgement import RIVALS, Judgement, judge
from stillwatch.campaigns.roles import Member, members
from stillwatch.campaigns.search import Candidate, find

__all__ = ["RIVALS", "Candidate", "Judgement", "Member", "find", "judge", "members"]
