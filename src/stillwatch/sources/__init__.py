"""Other people's logs as exchanges: one module a format."""

from stillwatch.sources.accounts import read_account_events, read_accounts, read_models, read_verdicts
from stillwatch.sources.discover import BESIDE, Inputs, TrafficFile, discover, kept_apart, partitions_of, sniff
from stillwatch.sources.formats import FORMATS, MAPPINGS
from stillwatch.sources.lines import DamagedFile
from stillwatch.sources.mapping import Chosen, choose
from stillwatch.sources.read import batches, nothing_usable, read, typed
from stillwatch.sources.rejects import Rejects

__all__ = [
    "BESIDE",
    "FORMATS",
    "MAPPINGS",
    "Chosen",
    "DamagedFile",
    "Inputs",
    "Rejects",
    "TrafficFile",
    "batches",
    "choose",
    "discover",
    "kept_apart",
    "nothing_usable",
    "partitions_of",
    "read",
    "read_account_events",
    "read_accounts",
    "read_models",
    "read_verdicts",
    "sniff",
    "typed",
]
