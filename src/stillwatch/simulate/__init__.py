"""Labelled worlds: traffic in which who belongs to which campaign is known, to test and show what a scan finds."""

from stillwatch.simulate.world import WORLDS, Summary, World, simulate

__all__ = ["WORLDS", "Summary", "World", "simulate"]
