"""One service for all tests of gateways, and a stand-in model."""

import pytest
from tests.serve.gateways.live import Live, every, free_port, model


@pytest.fixture(scope="package")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    with Live(folder, every(), envoy_grpc=f"127.0.0.1:{free_port()}") as service:
        yield service


@pytest.fixture
def live(running):
    """The service, with one account of each fate and nothing used up of a throttle."""
    running.decide(*every())
    return running


@pytest.fixture
def reached():
    """A model behind the gateway: (port, what reached it)."""
    with model() as standing:
        yield standing
