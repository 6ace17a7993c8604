"""The address of a client behind a reverse proxy, whose header is believed from its addresses only.

peer, X-Forwarded-For, MILLPOND_UI_PROXIES  ->  client_address()  ->  the last hop that is no such proxy
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers

FORWARDED = "x-forwarded-for"  # each proxy adds the address that it was called from; a client may send one as well
Networks = Sequence[IPv4Network | IPv6Network]


def client_address(headers: Headers, peer: str, proxies: Networks) -> str:
    """Return the address from which the first of the proxies was called; the peer's if that cannot be read.

    Args:
        headers: The headers of the request, whose first hops are whatever the client sent.
        peer: The address that the request came from.
        proxies: Addresses of proxies that add theirs.
    """
    hops = ",".join(headers.getlist(FORWARDED)).split(",")
    found = peer
    while hops and is_among(found, proxies):
        hop = _without_port(hops.pop().strip())
        if _parsed(hop) is None:
            break
        found = hop
    return found


def is_among(address: str, networks: Networks) -> bool:
    """Return whether an address is in one of the networks; a socket file has none."""
    found = _parsed(address)
    return found is not None and any(found in network for network in networks)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _without_port(hop: str) -> str:
    """Return the address of a hop that some proxies write with its port: `10.0.0.7:4711`, `[2001:db8::7]:4711`."""
    if not hop.startswith("[") and hop.count(":") != 1:
        return hop
    try:
        return urlsplit(f"//{hop}").hostname or hop
    except ValueError:
        return hop
