"""People: tokens of an OpenID Connect issuer, verified against the keys that it publishes.

OpenID Connect Core 1.0, section 3.1.3.7; discovery as in OpenID Connect Discovery 1.0, section 4.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from stillwatch.serve.access.roles import Principal, Role

# Signatures by keys that only the issuer has: with an HMAC the published key would be the secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
LEEWAY_SECONDS = 60
# A key that the issuer has withdrawn is believed for at most this long.
KEYS_LIVE_SECONDS = 300.0
# Tokens with made-up key ids must not make the service ask the issuer each time.
ASK_AGAIN_SECONDS = 30.0
MOST_BYTES = 16_384


class Issuer:
    """One issuer, its keys, and which of its claims says what."""

    def __init__(self, issuer: str, audience: str, roles_claim: str, scope_claim: str | None = None) -> None:
        self.issuer = issuer
        self._roles_claim = roles_claim
        self._scope_claim = scope_claim
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._keys: KeySet | None = None
        self._asked = float("-inf")
        self._alone = asyncio.Lock()

    async def principal(self, token: str) -> Principal | None:
        """The person of this token; None where it is not the issuer's, not for us, or no longer."""
        if len(token) > MOST_BYTES:
            return None
        keys = await self._published(KEYS_LIVE_SECONDS)
        person = self._read(token, keys)
        if person is None and _key_id(token) not in _key_ids(keys):
            keys = await self._published(ASK_AGAIN_SECONDS)
            person = self._read(token, keys)
        return person

    def _read(self, token: str, keys: KeySet | None) -> Principal | None:
        if keys is None:
            return None
        try:
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            self._claims.validate(claims)
        except (JoseError, ValueError, TypeError, KeyError):
            return None
        scope = claims.get(self._scope_claim) if self._scope_claim else ""
        # Where a claim says what a person may see, a token without it may see nothing.
        if not isinstance(scope, str) or (self._scope_claim and not scope):
            return None
        return Principal(f"person:{claims['sub']}", _roles(claims.get(self._roles_claim)), scope)

    async def _published(self, live_seconds: float) -> KeySet | None:
        async with self._alone:
            if time.monotonic() - self._asked < live_seconds:
                return self._keys
            self._asked = time.monotonic()
            try:
                async with httpx.AsyncClient(timeout=5.0, follow_redirects=False) as client:
                    about = await client.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                    document = about.raise_for_status().json()
                    if document.get("issuer") != self.issuer:
                        return self._keys
                    self._keys = KeySet.import_key_set(
                        (await client.get(document["jwks_uri"])).raise_for_status().json()
                    )
            except (httpx.HTTPError, httpx.InvalidURL, JoseError, ValueError, KeyError, TypeError, AttributeError):
                return self._keys
            return self._keys


def _roles(claim: Any) -> frozenset[Role]:
    named: Iterable[Any] = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else ()
    known = {role.value: role for role in Role}
    known |= {f"stillwatch-{role.value}": role for role in Role}
    return frozenset(known[name] for name in named if isinstance(name, str) and name in known)


def _key_id(token: str) -> str | None:
    from joserfc import jws

    try:
        kid = jws.extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError, UnicodeError):
        return None
    return kid if isinstance(kid, str) else None


def _key_ids(keys: KeySet | None) -> set[str | None]:
    return {key.kid for key in keys.keys} if keys else set()
