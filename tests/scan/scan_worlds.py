"""Small worlds written by hand: a few accounts under one hand, and strangers around them."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.tables import ACCOUNTS, EXCHANGES

START = datetime(2026, 2, 2, tzinfo=UTC)  # a Monday
HAND = [f"hand-{i:02}" for i in range(10)]
STRANGERS = [f"stranger-{i:03}" for i in range(120)]
# The recurring instruction of the hand, and a prompt that was passed around among strangers.
INSTRUCTION = (
    "You are an expert tutor. Solve the task below and write out your complete reasoning step by step before the "
    "answer, then grade your own solution from one to ten and explain the grade in full. Task: "
)
POPULAR = (
    "Act as a travel guide. I will tell you where I am and you will suggest places to visit near my location, with "
    "the type of place and similar places close by. My first request is: "
)
_TEXT = (
    "river stone market lantern copper violin harbour mountain letter garden winter engine pepper candle "
    "orchard bridge saddle marble thunder basket velvet compass island meadow pocket ribbon shadow timber "
    "valley whistle "
)
WORDS = _TEXT.split()


def sentence(draw: random.Random, words: int) -> str:
    return " ".join(draw.choice(WORDS) + draw.choice(("", "s", "ly", str(draw.randrange(99)))) for _ in range(words))


def exchange(draw: random.Random, number: int, account: str, time: datetime, **columns: Any) -> dict[str, Any]:
    prompt = columns.get("prompt", "")
    return {
        "exchange_id": f"x{number:06}",
        "time": time,
        "account_id": account,
        "key_id": f"key-of-{account}",
        "user_agent": draw.choice(("python-requests/2.32", "openai-python/1.60", "curl/8.5")),
        "model": draw.choice(("large-2", "small-2")),
        "messages": 1,
        "history_hashes": [hashlib.sha256(prompt.encode()).hexdigest()],
        "output_tokens": draw.randrange(50, 2_000),
        "status": "ok",
        **columns,
    }


def rows(seed: int = 1, *, hand: bool = True) -> list[dict[str, Any]]:
    """Traffic of a fortnight: ten accounts of one hand (if wanted), and strangers of whom half share a prompt."""
    draw = random.Random(seed)
    made: list[dict[str, Any]] = []
    for i, account in enumerate(STRANGERS):
        for _ in range(draw.randrange(5, 25)):
            text = (POPULAR if i % 2 else "") + sentence(draw, draw.randrange(8, 60))
            time = START + timedelta(days=draw.randrange(14), seconds=int(draw.gauss(13, 3) * 3600) % 86_400)
            made.append(exchange(draw, len(made), account, time, prompt=text, ip=f"10.{i}.7.{1 + draw.randrange(2)}"))
    for account in HAND if hand else ():
        for _ in range(60):
            text = INSTRUCTION + sentence(draw, draw.randrange(30, 60))
            time = START + timedelta(days=3, seconds=draw.randrange(9 * 86_400))
            ip = f"203.0.{draw.randrange(3)}.{1 + draw.randrange(4)}"
            made.append(exchange(draw, len(made), account, time, prompt=text, ip=ip))
    draw.shuffle(made)
    return made


def accounts(*, hand: bool = True) -> list[dict[str, Any]]:
    made = [
        {
            "account_id": name,
            "created_at": START - timedelta(days=30 + 7 * i, hours=i % 24),
            "payment_fingerprint": f"card-{name}",
            "device_fingerprint": f"device-{name}",
            "email_domain": "mail.example",
            "verification": "email",
            "status": "active",
        }
        for i, name in enumerate(STRANGERS)
    ]
    made += [
        {
            "account_id": name,
            "created_at": START + timedelta(hours=2, minutes=i),
            "payment_fingerprint": f"card-{i % 5}",
            "device_fingerprint": f"device-{i % 3}",
            "email_domain": "mail.example",
            "verification": "email",
            "status": "active",
        }
        for i, name in enumerate(HAND if hand else ())
    ]
    return made


def write(folder: Path, traffic: list[dict[str, Any]], known: list[dict[str, Any]] | None, files: int = 1) -> Path:
    """Write a world as Parquet, its rows over so many files."""
    folder.mkdir(parents=True)
    for n in range(files):
        table = pa.Table.from_pylist(traffic[n::files], schema=EXCHANGES.schema)
        pq.write_table(table, folder / f"traffic-{n}.parquet")
    if known is not None:
        pq.write_table(pa.Table.from_pylist(known, schema=ACCOUNTS.schema), folder / "accounts.parquet")
    return folder
