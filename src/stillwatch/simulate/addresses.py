"""Addresses: who comes from where. Blocks are drawn from public space; none is anybody's in particular.

A household keeps a residential address for weeks; servers sit in a few data-centre blocks; carrier-grade NAT and
commercial VPNs put many strangers behind one address. Exits of a proxy pool are residential and data-centre addresses
too, and a part of them serves honest customers of the same proxy or VPN company, which is why an address alone proves
little.
"""

from __future__ import annotations

from random import Random

# First octets of unicast space that registries handed to access providers, and to hosting; reserved, private,
# documentation and multicast ranges are not among them (RFC 6890).
ACCESS = (
    24,
    31,
    36,
    41,
    46,
    58,
    61,
    62,
    67,
    71,
    73,
    76,
    78,
    81,
    82,
    84,
    86,
    88,
    90,
    93,
    95,
    98,
    99,
    109,
    110,
    112,
    114,
)
ACCESS_2 = (
    116,
    119,
    121,
    123,
    125,
    151,
    174,
    177,
    179,
    181,
    183,
    186,
    187,
    189,
    201,
    202,
    210,
    212,
    217,
    218,
    219,
    222,
)
HOSTING = (
    3,
    5,
    13,
    18,
    20,
    23,
    34,
    35,
    44,
    45,
    51,
    52,
    54,
    64,
    65,
    66,
    104,
    107,
    128,
    134,
    138,
    139,
    142,
    157,
    159,
    161,
    165,
)


class Addresses:
    """Gives addresses by number; every address is kept once in `table`."""

    def __init__(self, r: Random) -> None:
        self._r = r
        self.table: list[str] = []
        self._number: dict[str, int] = {}
        # Providers and their /16 blocks. 400 access networks and 120 hosting companies carry most of the world's
        # traffic; a provider's share falls off as the reciprocal of its rank. With 8 and 16 blocks each, strangers
        # meet on one address by chance about as often as dynamic assignment makes them.
        self._access = [[(r.choice(ACCESS + ACCESS_2), r.randrange(256)) for _ in range(8)] for _ in range(400)]
        self._hosting = [[(r.choice(HOSTING), r.randrange(256)) for _ in range(16)] for _ in range(120)]

    def _keep(self, text: str) -> int:
        number = self._number.get(text)
        if number is None:
            number = self._number[text] = len(self.table)
            self.table.append(text)
        return number

    def _block(self, providers: list[list[tuple[int, int]]]) -> tuple[int, int]:
        rank = int(len(providers) ** self._r.random()) - 1  # P(rank) falls as 1/rank
        return self._r.choice(providers[rank])

    def residential(self) -> int:
        """A household's address; one in seven is IPv6."""
        r = self._r
        a, b = self._block(self._access)
        if r.random() < 0.14:
            return self._keep(f"2{a % 16:x}0{b % 10}:{b:x}{a:x}:{r.randrange(65536):x}::{r.randrange(1, 65536):x}")
        return self._keep(f"{a}.{b}.{r.randrange(256)}.{r.randrange(1, 255)}")

    def datacentre(self) -> int:
        """A server's address."""
        a, b = self._block(self._hosting)
        return self._keep(f"{a}.{b}.{self._r.randrange(256)}.{self._r.randrange(1, 255)}")

    def either(self) -> int:
        """A server's or a household's: half of API traffic comes from each, as an assumption of this world."""
        return self.datacentre() if self._r.random() < 0.5 else self.residential()

    def network(self, count: int) -> tuple[int, ...]:
        """Addresses of one /24: an office, a campus, a carrier's NAT."""
        a, b = self._block(self._access)
        c = self._r.randrange(256)
        hosts = self._r.sample(range(1, 255), min(count, 254))
        return tuple(self._keep(f"{a}.{b}.{c}.{h}") for h in hosts)
