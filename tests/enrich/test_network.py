"""Addresses as logs write them."""

import ipaddress
import random
import socket

import cloudip
import pyarrow as pa
import pytest

from stillwatch.enrich.network import _hosting, _place, network


@pytest.mark.parametrize(
    ("written", "ip", "block", "wide"),
    [
        ("203.0.113.9", "203.0.113.9", "203.0.113.0/24", "203.0.0.0/16"),
        (" 203.0.113.9:51234 ", "203.0.113.9", "203.0.113.0/24", "203.0.0.0/16"),
        ("2001:DB8:1:2::5", "2001:db8:1:2::5", "2001:db8:1::/48", "2001:db8::/32"),
        ("[2001:db8::5]", "2001:db8::5", "2001:db8::/48", "2001:db8::/32"),
        ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.0/24", "203.0.0.0/16"),
        ("10.1.2.3", "10.1.2.3", "10.1.2.0/24", "10.1.0.0/16"),
    ],
)
def test_addresses(written, ip, block, wide):
    made = {name: column.to_pylist()[0] for name, column in network(pa.array([written])).items()}
    assert (made["ip"], made["block"], made["network"]) == (ip, block, wide)


@pytest.mark.parametrize("written", [None, "", "unknown", "203.0.113", "1.2.3.4.5", "::g", "localhost:80", "٣.1.1.1"])
def test_what_is_no_address_is_null(written):
    made = network(pa.array([written], pa.string()))
    assert [column.to_pylist() for column in made.values()] == [[None]] * 4


def test_hosting_is_known_of_public_addresses_alone():
    made = network(pa.array(["10.0.0.1", "52.95.110.1"]))["hosting"].to_pylist()
    assert made[0] is None and made[1] is not None


def test_nobody_is_asked_about_an_address(monkeypatch):
    """The list is the package's own: looking an address up opens no connection."""

    opened = []

    def refused(*asked):
        opened.append(asked)
        raise OSError

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    _hosting.cache_clear()
    _place.cache_clear()
    assert network(pa.array(["52.95.110.1"]))["hosting"].to_pylist() == ["aws"]
    assert opened == []


def test_providers_are_those_of_the_package(monkeypatch):
    package = cloudip.new_detector(offline=True)
    draw = random.Random(4)
    listed = draw.sample([entry.ip_address for entry in package.get_ips()], 400)
    inside = [net[draw.randrange(min(net.num_addresses, 1 << 40))] for net in map(ipaddress.ip_network, listed)]
    anywhere = [ipaddress.ip_address(draw.getrandbits(bits)) for bits in (32, 128) for _ in range(400)]
    asked = [str(ip) for ip in [*inside, *anywhere] if ip.is_global]
    assert network(pa.array(asked))["hosting"].to_pylist() == [package.get_provider(ip) or None for ip in asked]


def test_a_column_without_a_value():
    assert all(c.null_count == 3 for c in network(pa.nulls(3, pa.string())).values())
