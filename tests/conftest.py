"""A server of PostgreSQL for all tests.

In continuous integration everything is installed, so that a skipped test is a test that nobody ran: a failure.
"""

import os

import pytest


@pytest.fixture(scope="session")
def postgresql():
    """A server of PostgreSQL for this run of the tests: its URL."""
    from tests.respond.databases import server  # for those alone who need it

    with server() as url:
        yield url


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which a test was skipped, where CI is set to anything but nothing, 0 or false."""
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"\n{len(skipped)} skipped: in continuous integration nothing may be", red=True)
