"""Traffic sent over HTTP: what is taken, what is set aside and why, and what each sender is answered."""

import json

from intake_service import client, cycle, ids, ndjson, record, stored

NDJSON = {"content-type": "application/x-ndjson"}


def test_exchanges_are_taken_and_reach_the_store(tmp_path):
    with client(tmp_path) as http:
        answer = http.post("/v1/exchanges", content=ndjson(*(record(n) for n in range(50))))
        assert (answer.status_code, answer.json()) == (200, {"taken": 50, "set_aside": 0, "first": []})
    assert cycle(tmp_path).drain() == 1
    assert ids(tmp_path) == sorted(f"x{n}" for n in range(50))
    assert {row["prompt_bytes"] for row in stored(tmp_path)} >= {29, 30}


def test_bad_records_are_named_by_line_and_the_good_ones_taken(tmp_path):
    lines = [
        json.dumps(record(1)),
        "{not json",
        json.dumps(record(2, account_id=None)),
        "[1]",
        "",
        json.dumps(record(3, time="yesterday")),
        json.dumps(record(4)),
    ]
    with client(tmp_path) as http:
        answer = http.post("/v1/exchanges", content="\n".join(lines))
    assert answer.status_code == 200
    assert answer.json() == {
        "taken": 2,
        "set_aside": 4,
        "first": [
            {"place": "line 2", "reason": "not JSON"},
            {"place": "line 4", "reason": "JSON, but not an object"},
            {"place": "line 6", "reason": "time not understood", "field": "time"},
            {"place": "line 3", "reason": "no account_id", "field": "account_id"},
        ],
    }
    assert "quixotic" not in answer.text
    judged = cycle(tmp_path).once()
    assert judged.findings.traffic.rejected == 4
    assert ids(tmp_path) == ["x1", "x4"]
