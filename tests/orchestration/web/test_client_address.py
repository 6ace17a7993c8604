"""Behind a reverse proxy each client has its own limit of guesses, and no client chooses its address."""

from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from orchestration.configuration.settings import MillpondSettings
from orchestration.configuration.settings_error import SettingsError
from orchestration.web.access import Access
from orchestration.web.client_address import client_address
from orchestration.web.identity import Role
from orchestration.web.sign_in import SignIn
from orchestration.web.sign_in_proxy import SignInProxy
from orchestration.web.users import Users
from orchestration.web.webserver import access_of

HERE = "http://localhost:3000"
PROXIES = [ip_network("10.0.0.5"), ip_network("10.1.0.0/16"), ip_network("2001:db8:5::/48")]


def found(peer: str, *lines: str) -> str:
    """Return the address of the client of a request with these headers."""
    raw = [(b"x-forwarded-for", each.encode("latin-1")) for each in lines]
    return client_address(Headers(raw=raw), peer, PROXIES)


@pytest.mark.parametrize(
    ("peer", "lines", "client"),
    [
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),  # anyone may send the header
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.5", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),  # the first one is the client's own
        ("10.0.0.5", ["1.1.1.1", "198.51.100.7, 10.1.2.3"], "198.51.100.7"),  # two proxies, two lines
        ("10.0.0.5", ["10.1.2.3, 10.1.2.4"], "10.1.2.3"),  # the proxies' own check
        ("10.0.0.5", ["198.51.100.7:4711"], "198.51.100.7"),
        ("2001:db8:5::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("::ffff:10.0.0.5", ["::ffff:198.51.100.7"], "::ffff:198.51.100.7"),
        ("10.0.0.5", ["198.51.100.7, unknown"], "10.0.0.5"),
        ("10.0.0.5", ["198.51.100.7,"], "10.0.0.5"),
        ("10.0.0.5", ["[:1"], "10.0.0.5"),
        ("10.0.0.5", ["\xff" * 100], "10.0.0.5"),
        ("", ["198.51.100.7"], ""),  # a socket file
    ],
)
def test_the_client_is_the_last_hop_that_is_no_proxy(peer: str, lines: list[str], client: str) -> None:
    """Hops before it in the header may be the client's own text."""
    assert found(peer, *lines) == client


@pytest.mark.parametrize(("proxies", "statuses"), [([], [401, 429, 401, 429]), (PROXIES, [401, 429, 429, 303])])
def test_one_who_guesses_behind_a_proxy_delays_its_other_clients_by_one_attempt(
    tmp_path: Path, proxies: list[IPv4Network | IPv6Network], statuses: list[int]
) -> None:
    """Without the proxy's addresses all of its clients are one, which each wrong token locks out for a second."""
    right = "t" * 20
    access = Access(right, frozenset({"localhost"}), [], Users(tmp_path / "none"), reverse_proxies=proxies)
    app = SignIn(Starlette(), access)
    steps = [(100.0, "198.51.100.1", "wrong"), (100.5, "198.51.100.2", right)]
    steps += [(101.0, "198.51.100.1", "wrong"), (101.2, "198.51.100.2", right)]

    found = []
    with TestClient(app, base_url=HERE, follow_redirects=False, client=("10.0.0.5", 1)) as visitor:
        for moment, client, token in steps:
            app._guesses._now = partial(float, moment)
            headers = {"Origin": HERE, "X-Forwarded-For": f"203.0.113.{int(moment)}, {client}"}
            found.append(visitor.post("/sign-in", data={"token": token}, headers=headers).status_code)
    assert found == statuses


def test_a_reverse_proxy_names_no_user(tmp_path: Path) -> None:
    """Its header says whose guesses are limited; a user is named by the sign-in proxy itself."""
    sign_in_proxy = SignInProxy("X-Forwarded-User", [ip_network("10.9.9.9")], Role.APPROVER)
    access = Access(
        "", frozenset({"localhost"}), [], Users(tmp_path / "none"), proxy=sign_in_proxy, reverse_proxies=PROXIES
    )
    with TestClient(SignIn(Starlette(), access), base_url=HERE, client=("10.0.0.5", 1)) as visitor:
        headers = {"X-Forwarded-For": "10.9.9.9", "X-Forwarded-User": "ada"}
        assert visitor.get("/runs", headers=headers).status_code == 403


def test_the_proxys_addresses_are_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address would let each client choose its own."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.setenv("MILLPOND_UI_PROXIES", "10.0.0.5,10.1.0.0/16")
    assert access_of(MillpondSettings()).reverse_proxies == PROXIES[:2]
    for wrong in ("0.0.0.0/0", "proxy.local"):
        monkeypatch.setenv("MILLPOND_UI_PROXIES", wrong)
        with pytest.raises(SettingsError, match="MILLPOND_UI_PROXIES"):
            MillpondSettings()
