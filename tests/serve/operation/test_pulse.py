"""The cycle's pulse: whoever asks whether the service is ready hears of a cycle that is dead or fails."""

import json
import threading
import time

import pytest
from starlette.testclient import TestClient
from tests.serve.ingest.intake_service import NothingDecided, cycle

from stillwatch.serve.app import create_app
from stillwatch.serve.pulse import MOST_FAILURES, Heart, pulse_of
from stillwatch.serve.settings import ServeSettings


@pytest.fixture
def service(tmp_path):
    """A function that makes the service, with these parts."""

    def made(*parts: str) -> TestClient:
        settings = ServeSettings(folder=tmp_path, parts=parts, stale_seconds=1, open_metrics=True)
        return TestClient(create_app(settings, NothingDecided()))

    return made


def told(path, **values):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"at": time.time(), **values}))


def wrong(http):
    answer = http.get("/readyz")
    assert (answer.status_code == 503) == bool(answer.json()["wrong"])
    return answer.json()["wrong"]


def test_ready_is_who_has_a_cycle_that_lives_and_judges(tmp_path, service):
    path = tmp_path / "judged" / "pulse.json"
    with service("cycle", "decisions") as http:
        assert wrong(http) == {}  # it has just been started
        time.sleep(1.1)
        assert wrong(http) == {"cycle": "no sign of the cycle"}
        told(path, judged=time.time() - 7, failures=MOST_FAILURES - 1)
        assert wrong(http) == {}
        assert 'stillwatch_judged_age_seconds{of="newest"} 7.' in http.get("/metrics").text
        assert 'stillwatch_judged_age_seconds{of="all"} NaN' in http.get("/metrics").text
        told(path, failures=MOST_FAILURES)
        assert wrong(http) == {"cycle": "the last 3 cycles failed"}
        path.write_text(json.dumps({"at": time.time() - 100}))
        assert wrong(http) == {"cycle": "no sign of the cycle within stale_seconds"}
        path.write_text("{")
        assert wrong(http) == {"cycle": "no sign of the cycle"}


def test_who_has_no_cycle_and_shares_no_folder_with_one_is_ready(tmp_path, service):
    with service("decisions") as http:
        time.sleep(1.1)
        assert wrong(http) == {}
        told(tmp_path / "judged" / "pulse.json", failures=9)
        assert wrong(http) == {"cycle": "the last 9 cycles failed"}


def test_a_cycle_tells_how_it_is(tmp_path, monkeypatch):
    path = tmp_path / "pulse.json"
    one = cycle(tmp_path)
    one._heart = Heart(path)
    stop = threading.Event()
    monkeypatch.setattr(one, "once", lambda: 1 / 0)
    running = threading.Thread(target=one.run, args=(stop,))
    running.start()
    until = time.monotonic() + 30
    while time.monotonic() < until and ((pulse := pulse_of(path)) is None or pulse.failures < 2):
        time.sleep(0.02)
    stop.set()
    running.join(30)
    assert pulse_of(path).failures >= 2
    one._heart.judged(of_all=False)
    assert pulse_of(path).judged is not None
    assert pulse_of(path).judged_all is None
    one._heart.judged(of_all=True)
    one._heart.cycled(well=True)
    assert pulse_of(path).judged_all == pytest.approx(time.time(), abs=5)
    assert pulse_of(path).failures == 0
