"""The spool: where traffic rests between its acknowledgement and the store, encrypted, on disk before it is
acknowledged, and gone once it is drained or expired. The one place where a prompt rests."""

from stillwatch.serve.spool.key import Key
from stillwatch.serve.spool.payload import Payload
from stillwatch.serve.spool.segment import Segment, check, expired, oldest, recovered, sealed, used
from stillwatch.serve.spool.writer import Limits, Spool, SpoolBusy

__all__ = [
    "Key",
    "Limits",
    "Payload",
    "Segment",
    "Spool",
    "SpoolBusy",
    "check",
    "expired",
    "oldest",
    "recovered",
    "sealed",
    "used",
]
