"""The engine's integers as times and days."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(us: int) -> datetime:
    """Microseconds since 1970 UTC as a datetime."""
    return datetime.fromtimestamp(us / 1e6, UTC)


def day_text(day: int) -> str:
    """Days since 1970 as YYYY-MM-DD."""
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")
