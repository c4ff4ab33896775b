"""Where webhooks may lead: public addresses, and what the operator allows."""

from __future__ import annotations

import socket

import pytest

from gateway.access.destinations import Destinations, ForbiddenDestination, host_of

INTERNAL = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("224.0.0.1", "224.0.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::"),
]


@pytest.mark.parametrize("address", INTERNAL)
def test_an_internal_address_is_forbidden(address: str) -> None:
    assert not Destinations().allows("there", address)
    with pytest.raises(ForbiddenDestination):
        Destinations().check_name("there", ["8.8.8.8", address])


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert Destinations().allows("there", address)


def test_what_the_operator_allows() -> None:
    some = Destinations.parse(["10.1.0.0/16", "::1", "hooks.internal", "192.168.0.7"])
    assert some.allows("any", "10.1.2.3")
    assert some.allows("any", "::1")
    assert some.allows("Hooks.internal", "127.0.0.1")
    assert some.allows("any", "192.168.0.7")
    assert not some.allows("any", "10.2.0.1")
    assert not some.allows("other.internal", "127.0.0.1")
    assert not some.allows("any", "192.168.0.8")


def test_where_only_what_is_named_is_allowed_public_addresses_are_not() -> None:
    none = Destinations.parse([], is_named_only=True, allowed_by="storage_allow")
    assert not none.allows("there", "8.8.8.8")
    with pytest.raises(ForbiddenDestination, match="not allowed; storage_allow may"):
        none.check_name("there", ["8.8.8.8"])
    some = Destinations.parse(["8.8.8.0/24", "there"], is_named_only=True)
    assert some.allows("any", "8.8.8.8")
    assert some.allows("There", "1.1.1.1")
    assert not some.allows("elsewhere", "1.1.1.1")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0", "a b", "-", "http://there", "1:2"])
def test_what_is_neither_host_nor_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Destinations.parse([text])


def test_no_socket_is_made_for_a_forbidden_address() -> None:
    def info(address: str) -> tuple[object, ...]:
        return socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 80)

    with pytest.raises(ForbiddenDestination):
        Destinations().socket("localhost", info("127.0.0.1"))
    Destinations.parse(["127.0.0.0/8"]).socket("localhost", info("127.0.0.1")).close()


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://there", ("there", 80)),
        ("https://there.example.org/a?b=c", ("there.example.org", 443)),
        ("http://[::1]:8080/", ("::1", 8080)),
        ("http://127.0.0.1:1?x", ("127.0.0.1", 1)),
    ],
)
def test_host_and_port_of_a_url(url: str, found: tuple[str, int]) -> None:
    assert host_of(url) == found


@pytest.mark.parametrize(
    "url",
    [
        *("", "there", "ftp://there/", "file:///etc/passwd", "http://", "http:///x", "http://u@there/", "http://u:p@there/"),
        *("http://there\\@other/", "http://there#x", "http://there/a b", "http://there/\n", "http://there:0/"),
        *("http://there:65536/", "http://th%65re/", "http://there:80:80/", "http://thérê/", "HTTP://there/x\x00"),
    ],
)  # fmt: skip
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        host_of(url)
