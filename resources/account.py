"""The identity of an account: what two sets of settings must have in common to mean the same one."""

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import urlsplit

# such as {"host": "acme.app.netsuitesuiteprojectspro.com", "company": "acme"}; a part that is not known is missing
Account = Mapping[str, str]
UNKNOWN: Account = MappingProxyType({})


def account_of(url: str, **parts: str) -> Account:
    """Return an account from its address and what else is known of it; blank parts are not known.

    On this machine, where only stand-ins are served, the port may change.
    """
    address = urlsplit(url)
    host = address.hostname or ""
    if host.endswith(".invalid"):  # RFC 2606: the address of a system that is not configured
        return UNKNOWN
    port = "" if address.port is None or _is_local(host) else f":{address.port}"
    given = {"host": f"{host}{port}", **{name: value.strip().lower() for name, value in parts.items()}}
    return {name: value for name, value in given.items() if value}


def is_same(one: Account, other: Account) -> bool:
    """Return whether no part that is known of both differs."""
    return all(one[name] == other[name] for name in one.keys() & other.keys())


def describe(account: Account) -> str:
    """Return an account as people read it: `company acme at acme.example.com`."""
    parts = ", ".join(f"{name} {value}" for name, value in account.items() if name != "host")
    return " at ".join(filter(None, (parts, account.get("host", "")))) or "an unknown account"


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
