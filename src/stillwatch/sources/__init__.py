"""Other people's logs as exchanges: one module a format."""

from stillwatch.sources.accounts import read_account_events, read_accounts, read_models
from stillwatch.sources.discover import Inputs, TrafficFile, discover
from stillwatch.sources.formats import FORMATS, MAPPINGS
from stillwatch.sources.mapping import Chosen, choose
from stillwatch.sources.read import batches, nothing_usable, read
from stillwatch.sources.rejects import Rejects

__all__ = [
    "FORMATS",
    "MAPPINGS",
    "Chosen",
    "Inputs",
    "Rejects",
    "TrafficFile",
    "batches",
    "choose",
    "discover",
    "nothing_usable",
    "read",
    "read_account_events",
    "read_accounts",
    "read_models",
]
