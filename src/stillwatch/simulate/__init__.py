"""Labelled worlds: traffic in which who belongs to which campaign is known, to test and show what a scan finds."""

from stillwatch.simulate.world import Summary, simulate
from stillwatch.simulate.worlds import WORLDS, World

__all__ = ["WORLDS", "Summary", "World", "simulate"]
