"""Campaigns keep their numbers from scan to scan by the accounts that they have in common."""

from __future__ import annotations

from stillwatch.store.ledger import Found, number, with_new
from stillwatch.store.manifest import SCHEMAS


def campaign(accounts: str, at: int = 0) -> Found:
    return Found(frozenset(accounts), at, at + 1)


def told(*scans: list[str]):
    """The numbers that each scan's campaigns get (accounts as letters), the last remarks and the ledger."""
    ledger = SCHEMAS["campaigns"].empty_table()
    every = []
    for scan in scans:
        numbered = number(ledger, [campaign(accounts) for accounts in scan])
        ledger = numbered.ledger
        every.append(numbered.numbers)
    return every, numbered.remarks("C"), {row["number"]: row for row in ledger.to_pylist()}


def test_numbers_follow_the_first_scans_order():
    assert told(["abc", "xyz"])[0] == [[1, 2]]


def test_a_campaign_keeps_its_number_while_it_grows_shrinks_and_changes_place():
    numbers, remarks, _ = told(["abc", "xyz"], ["xyz", "abcdefghij"], ["defgh", "xy"])
    assert numbers == [[1, 2], [2, 1], [1, 2]]
    assert remarks == []


def test_a_new_one_gets_a_new_number_and_a_lost_one_its_own_again():
    assert told(["abc"], ["xyz"], [], ["abd", "xyz"])[0] == [[1], [2], [], [1, 2]]


def test_a_merger_is_recorded_once_under_the_larger_ones_number():
    scans = ["abc", "uvwxyz"], ["abcuvwxyz"]
    numbers, remarks, ledger = told(*scans)
    assert numbers[1] == [2]
    assert remarks == ["C-1 of an earlier scan is now a part of C-2."]
    assert (ledger[1]["merged_into"], ledger[2]["merged_into"]) == (2, None)
    numbers, remarks, ledger = told(*scans, ["abcuvwxyz"])
    assert (numbers[2], remarks, ledger[1]["merged_into"]) == ([2], [], 2)


def test_a_split_is_recorded_and_the_larger_part_keeps_the_number():
    scans = ["abcdefg"], ["efg", "abcd"]
    numbers, remarks, ledger = told(*scans)
    assert numbers[1] == [2, 1]
    assert remarks == ["C-2 was a part of C-1 in the scan before."]
    assert ledger[2]["split_from"] == 1
    assert told(*scans, ["abcd", "efg"])[0][2] == [1, 2]
    assert told(*scans, ["abcd", "efg"])[1] == []


def test_a_few_accounts_in_common_are_not_the_same_campaign():
    assert told(["abcdef"], ["fuvwxyz"])[0] == [[1], [2]]


def test_the_order_of_campaigns_decides_nothing_but_new_numbers():
    one, other = told(["abc", "xyz"], ["abcd", "xyzu"]), told(["abc", "xyz"], ["xyzu", "abcd"])
    assert one[0][1] == other[0][1][::-1]
    assert one[2] == other[2]


def test_a_scan_of_a_part_adds_what_is_new_and_changes_nothing():
    before = number(SCHEMAS["campaigns"].empty_table(), [campaign("abcdefgh"), campaign("stuvw")]).ledger
    part = number(before, [campaign("xyz"), campaign("abc")])
    assert part.numbers == [3, 1]
    kept = with_new(before, part.ledger)
    assert kept.slice(0, 2).equals(before)
    assert [(row["number"], row["known_by"]) for row in kept.to_pylist()[2:]] == [(3, ["x", "y", "z"])]
    assert number(kept, [campaign("abcdefgh"), campaign("xyz"), campaign("stuvw")]).numbers == [1, 3, 2]
