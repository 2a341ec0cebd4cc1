"""Members that do nothing but the campaign, told by whether anything they send is free of recurring instructions."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stillwatch.campaigns.dedicated import dedicated
from stillwatch.campaigns.roles import Member, take_all_they_send, without_other_business
from stillwatch.engine import DuckDB


def test_eight_accounts_that_never_write_freely_have_no_other_business():
    assert (dedicated([40] * 8, [0] * 8) > 0.8).all()


def test_a_pool_that_relays_customers_has_even_where_some_of_its_accounts_only_relay_an_application():
    relays = dedicated([40] * 20, [0] * 12 + [10] * 8)
    assert (relays < 0.1).all()


def test_one_member_with_chat_of_its_own_does_not_speak_for_the_others():
    r = dedicated([40] * 20, [0] * 19 + [30])
    assert (r[:19] > 0.5).all()
    assert r[19] < 0.1


def test_one_slip_in_a_hundred_is_no_business():
    assert (dedicated([100] * 8, [1] + [0] * 7) > 0.5).all()


def test_two_accounts_alone_are_too_few_to_tell_by_little():
    assert (dedicated([1, 1], [0, 1]) < 0.5).all()


def member(account, exchanges, other, role="member", theft_bits=-5.0):
    return Member(account, role, 0.9, exchanges, other, 5, 6, (("k", exchanges),), theft_bits, 0)


@pytest.fixture
def engine(tmp_path):
    """Forty accounts each send one exchange of the job and four that only they word so; the last one writes freely."""
    rows, texts = [], []
    for account in range(40):
        for n in range(5):
            number = 10 * account + n
            rows.append(
                {
                    "campaign_no": 0,
                    "account_no": account,
                    "exchange_no": number,
                    "time_us": number,
                    "job": int(n == 0),
                    "key_id": "k" if n < 3 else "second",
                    "messages": 1,
                    "prompt_hash": number,
                }
            )
            said = [1000 + number] if account == 39 or n == 0 else [account]
            texts.append({"exchange_no": number, "system_prompt_passages": None, "prompt_passages": said})
    traffic = pa.Table.from_pylist([{k: v for k, v in r.items() if k not in ("campaign_no", "job")} for r in rows])
    member_traffic = pa.Table.from_pylist(rows).select(["campaign_no", "account_no", "exchange_no", "time_us", "job"])
    lists = pa.list_(pa.int64())
    schema = pa.schema([("exchange_no", pa.int64()), ("system_prompt_passages", lists), ("prompt_passages", lists)])
    with DuckDB(tmp_path) as made:
        made.register("traffic", traffic)
        made.register("member_traffic", member_traffic)
        made.register("exchanges", pa.Table.from_pylist(texts, schema=schema))
        made.create(
            "campaign_traffic",
            "SELECT 0 AS campaign_no, 7 AS workload_no, t.* FROM traffic AS t "
            "JOIN member_traffic AS m ON m.exchange_no = t.exchange_no WHERE m.job = 1",
        )
        yield made


def test_what_dedicated_members_send_in_their_own_words_is_the_campaigns(engine):
    found = {0: [member(a, 1, 4) for a in range(40)]}
    alone = without_other_business(engine, found)
    assert alone == {0: frozenset(range(39))}
    after = take_all_they_send(engine, found, alone, {0: 9})
    assert [(m.exchanges, m.other) for m in after[0]] == [(5, 0)] * 39 + [(1, 4)]
    assert after[0][0].keys == (("k", 3), ("second", 2))
    assert (after[0][1].first_us, after[0][1].last_us) == (10, 14)
    counted = "SELECT workload_no, count(*) AS n FROM campaign_traffic GROUP BY workload_no ORDER BY workload_no"
    assert engine.query(counted).to_pylist() == [{"workload_no": 7, "n": 40}, {"workload_no": 9, "n": 156}]


def test_a_victims_own_business_is_never_the_campaigns(engine):
    victims = [member(0, 1, 4, "victim", 3.0), member(1, 1, 4, "member", 1.0)]
    found = {0: [*victims, *(member(a, 1, 4) for a in range(2, 40))]}
    assert without_other_business(engine, found) == {0: frozenset(range(2, 39))}


def test_an_account_of_two_campaigns_is_asked_in_the_one_it_does_most_for(engine):
    found = {0: [member(a, 1, 4) for a in range(40)], 1: [member(0, 3, 0)]}
    assert without_other_business(engine, found) == {0: frozenset(range(1, 39))}
