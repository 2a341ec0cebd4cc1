"""Work in threads comes back in the order in which it was given."""

from __future__ import annotations

import time

import pytest

from stillwatch.store.threads import in_threads


def test_what_takes_longest_still_comes_first():
    def work(n):
        time.sleep(0.02 * (5 - n))
        return n

    assert list(in_threads(3, work, range(6))) == list(range(6))
    assert list(in_threads(3, work, [])) == []


def test_no_more_is_asked_for_than_is_worked_on():
    asked = []

    def given():
        for n in range(50):
            asked.append(n)
            yield n

    found = in_threads(2, lambda n: n, given())
    assert next(found) == 0
    assert len(asked) <= 3


def test_what_fails_is_raised_in_its_place():
    found = in_threads(2, lambda n: 1 // n, [2, 1, 0, 3])
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)
