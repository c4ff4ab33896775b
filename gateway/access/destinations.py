"""Where the gateway may connect to on its users' behalf: what the operator allows, for webhooks public addresses too.

A name can mean another address each time that it is asked for. So the decision that counts is made about the
address of each connection, when its socket is made (`Destinations.socket`); what is said to a user before
(`check_name`) only tells early what is sure to fail.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The host as one reader and every other understand it: no user, no escapes, no backslashes.
_URL = re.compile(
    r"https?://(?P<host>[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?([/?][!-~]*)?"
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ForbiddenDestination(OSError):
    """Not to be connected to; an OSError, so that it fails a connection as an unreachable address does."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """`hosts`, by name, and `networks` are allowed by the operator, in the setting `allowed_by`. Public addresses are
    allowed as well, unless only what is named is: `is_named_only`."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    is_named_only: bool = False
    allowed_by: str = "webhook_allow"

    @classmethod
    def parse(
        cls, allowed: Iterable[str], *, is_named_only: bool = False, allowed_by: str = "webhook_allow"
    ) -> Destinations:
        """From host names, addresses and CIDR networks. Raises ValueError for a network with host bits."""
        hosts, networks = set(), []
        for text in allowed:
            if re.fullmatch(r"[0-9.]+(/[0-9]+)?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/[0-9]+)?", text):
                networks.append(ipaddress.ip_network(text))
            elif re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", text):
                hosts.add(text.lower())
            else:
                raise ValueError(f"{text!r} is neither a host nor a network such as 10.0.0.0/8")
        return cls(frozenset(hosts), tuple(networks), is_named_only, allowed_by)

    def check_name(self, host: str, addresses: Iterable[str]) -> None:
        """Raises ForbiddenDestination where the host has any of these addresses and must not be reached at it."""
        for address in addresses:
            self._check(host, address)

    def allows(self, host: str, address: str) -> bool:
        if host.lower() in self.hosts:
            return True
        found = ipaddress.ip_address(address.partition("%")[0])
        return any(found in network for network in self.networks) or (not self.is_named_only and _is_public(found))

    def socket(self, host: str, info: tuple[Any, ...]) -> socket.socket:
        """A socket for one of getaddrinfo's answers for `host`. Raises ForbiddenDestination."""
        family, kind, protocol, _, address = info
        self._check(host, address[0])
        return socket.socket(family, kind, protocol)

    def _check(self, host: str, address: str) -> None:
        if not self.allows(host, address):
            why = "which is not allowed" if self.is_named_only else "no public address"
            raise ForbiddenDestination(errno.EACCES, f"{host} is at {address}, {why}; {self.allowed_by} may allow it")


def host_of(url: str) -> tuple[str, int]:
    """Host and port of an http or https URL without user and fragment. Raises ValueError."""
    found = _URL.fullmatch(url)
    if found is None or "#" in url:
        raise ValueError("is no URL of the form http(s)://host[:port]/path, without user, fragment and spaces")
    port = int(found["port"] or (443 if url.startswith("https:") else 80))
    if not 1 <= port <= 65535:
        raise ValueError(f"names no port: {port}")
    return found["host"].strip("[]"), port


def _is_public(address: Address) -> bool:
    """Neither private in any way, nor one that stands for another address, which might be."""
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo or address.is_site_local or address in _NAT64
    ):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
