"""Stillwatch beside other detectors, on the same worlds in one run: `python -m bench.peers`.

One module a peer. Each runs in a process of its own and tells, for every account of one world, a score under each of
its settings; packages from PyPI run as they are, in an environment that uv makes for the run, so that the project
depends on none of them. The setting and the threshold are chosen in the peer's favour on tuning worlds, and every
figure is then taken on fresh ones.
"""
