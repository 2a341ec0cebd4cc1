"""Measurements, never in timed tests: each prints its figures and how it got them."""
