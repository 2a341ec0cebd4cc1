"""Other people's logs as exchanges: one module a format."""

from stillwatch.sources.accounts import read_account_events, read_accounts, read_models, read_verdicts
from stillwatch.sources.discover import Inputs, TrafficFile, discover
from stillwatch.sources.formats import FORMATS, MAPPINGS
from stillwatch.sources.read import read
from stillwatch.sources.rejects import Rejects

__all__ = [
    "FORMATS",
    "MAPPINGS",
    "Inputs",
    "Rejects",
    "TrafficFile",
    "discover",
    "read",
    "read_account_events",
    "read_accounts",
    "read_models",
    "read_verdicts",
]
