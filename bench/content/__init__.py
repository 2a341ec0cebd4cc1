"""Content alone: a window's texts against honest ones, by the best published test and by recurrence.

    python -m bench.content

No account, address or time enters: only texts, through the same encoder for every detector.
"""
