"""Who is asking, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a key or a person may do; `ADMIN` may do all of it."""

    INGEST = "ingest"
    DECIDE = "decide"
    ANALYST = "analyst"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """A program that holds a key, or a person with a token.

    name: of the key (its id) or the person (the token's subject), for the audit record. scope: the prefix that the ids
    of accounts have which it may speak of; empty for all.
    """

    name: str
    roles: frozenset[Role]
    scope: str = ""

    def may(self, role: Role) -> bool:
        """Whether it has a role."""
        return role in self.roles or Role.ADMIN in self.roles

    def sees(self, account: str | None) -> bool:
        """Whether it may speak of an account; of what belongs to no account only where its scope is all."""
        return not self.scope or (account is not None and account.startswith(self.scope))
