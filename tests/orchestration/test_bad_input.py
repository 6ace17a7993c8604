"""Keys that are wrong or missing, hosts that nobody answers at, a warehouse that cannot be opened: told, then mended."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orchestration.settings import ROOT, SECRETS, SETTINGS
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.orchestration.bad_day import (
    OF_PRECORO,
    OF_SUITEPROJECTS,
    credentials,
    environment,
    failures,
    held,
    retried,
    rows,
    writes,
)
from tests.orchestration.conftest import Home

PASSWORDS = {
    "SUITEPROJECTS_COMPANY": "millpond",
    "SUITEPROJECTS_USER": "integration",
    "SUITEPROJECTS_PASSWORD": "not-this-one",
    "SUITEPROJECTS_KEY": "0000",
    "PRECORO_TOKEN": "nor-this-one",
    "PRECORO_EMAIL": "integration@example.com",
    "NETSUITE_AUTH": "tba",
    "NETSUITE_ACCOUNT": "1234567_SB1",
    "NETSUITE_CONSUMER_KEY": "a",
    "NETSUITE_CONSUMER_SECRET": "b",
    "NETSUITE_TOKEN_ID": "c",
    "NETSUITE_TOKEN_SECRET": "d",
}

BOTH = "customers"  # a group with workflows of both targets
# which workflow of a system runs first: the others need it
FIRST = {OF_SUITEPROJECTS: "suiteprojects__customer_department"}


def test_every_setting_that_an_error_names_exists() -> None:
    """A person looks for it in .env.example."""
    named = re.compile(r"\b(?:MILLPOND|NETSUITE|SUITEPROJECTS|PRECORO)_[A-Z]+(?:_[A-Z]+)*\b")
    files = [path for path in (ROOT / "resources").rglob("*.py") if "sandbox" not in path.parts]
    told = {name for path in files for name in named.findall(path.read_text())}
    known = {f"{each.model_config['env_prefix']}{name.upper()}" for each in SETTINGS for name in each.model_fields}

    assert {"NETSUITE_ACCOUNT", "SUITEPROJECTS_KEY", "MILLPOND_HOME"} <= told
    assert told <= known | SECRETS.keys()


def another_public_key() -> str:
    """As after the certificate was withdrawn."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_refused_netsuite_key_is_tried_once_and_changes_nothing(settled: Home) -> None:
    """Five failed sign-ins lock a user for half an hour; warehouse and targets stay as they were until a key is renewed."""
    before = (rows(settled), held(settled))
    calls = len(settled.sandbox.netsuite.calls())

    with credentials(settled, "netsuite", public_key=another_public_key()):
        refused = settled.run(BOTH)

    told = failures(refused)
    tries = settled.sandbox.netsuite.calls()[calls:]
    assert not refused.success
    assert [call["status"] for call in tries] == [400]
    assert len(told) == 5
    assert all(text.startswith("netsuite: sign in: ") for text in told.values())
    for name in ("NETSUITE_ACCOUNT", "NETSUITE_CLIENT_ID", "NETSUITE_CERTIFICATE_ID", "NETSUITE_PRIVATE_KEY_FILE"):
        assert name in told["raw_netsuite__customers"]
    assert retried(refused) == set()
    assert (rows(settled), held(settled)) == before
    assert settled.run(BOTH).success


@contextmanager
def refusing_suiteprojects(home: Home) -> Iterator[None]:
    """Every sign-in is answered as a wrong password is."""
    switches = home.sandbox.switches
    switches.set("suiteprojects", SuiteProjectsSwitches, auth_status=401)
    yield
    switches.set("suiteprojects", SuiteProjectsSwitches, auth_status=None)


@contextmanager
def refusing_precoro(home: Home) -> Iterator[None]:
    """The token that we have is not the company's."""
    assert home.sandbox.precoro
    with credentials(home, "precoro", token="withdrawn"):
        yield


def calls_of(home: Home, system: str) -> int:
    """Calls that were tried, refused sign-ins included."""
    file = {"suiteprojects": "suiteprojects.sqlite", "precoro": "precoro_budget.sqlite"}[system]
    with sqlite3.connect(home.folder / "sandbox" / file) as con:
        return int(con.execute("select count(*) from calls").fetchall()[0][0])


@pytest.mark.long
@pytest.mark.parametrize(
    ("system", "refusing", "workflow", "other", "names"),
    [
        (
            "suiteprojects",
            refusing_suiteprojects,
            OF_SUITEPROJECTS,
            OF_PRECORO,
            ["SUITEPROJECTS_COMPANY", "SUITEPROJECTS_USER", "SUITEPROJECTS_PASSWORD"],
        ),
        ("precoro", refusing_precoro, OF_PRECORO, OF_SUITEPROJECTS, ["PRECORO_TOKEN", "PRECORO_EMAIL"]),
    ],
)
def test_a_refused_target_does_not_hold_up_the_other(
    seeded: Home,
    system: str,
    refusing: Callable[[Home], AbstractContextManager[None]],
    workflow: str,
    other: str,
    names: list[str],
) -> None:
    """One try, the settings by name, the other target complete; the next run with the right key sends the rest."""
    with refusing(seeded):
        refused = seeded.run(BOTH)
        found, tried = held(seeded), calls_of(seeded, system)

    told, first = failures(refused), f"target_{FIRST.get(workflow, workflow)}"
    assert list(told) == [first]
    assert told[first].startswith(f"{system}: ")
    assert all(name in told[first] for name in names)
    assert tried == 1
    assert found[workflow] == []
    assert len(found[other]) > 3

    sent = writes(seeded)[other]
    assert seeded.run(BOTH).success
    assert len(held(seeded)[workflow]) > 3
    assert (held(seeded)[other], writes(seeded)[other]) == (found[other], sent)


@contextmanager
def served(home: Home) -> Iterator[dict[str, Any]]:
    """The sandbox on loopback ports, as live systems are reached."""
    start = "from orchestration.cli.main import main; main()"
    command = [sys.executable, "-c", start, "sandbox", "serve", "--state", str(home.folder / "sandbox")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        try:
            yield json.loads(child.stdout.readline())
        finally:
            child.terminate()
            child.wait(20)


def test_each_live_system_speaks_for_itself(seeded: Home) -> None:
    """NetSuite is right, one password is wrong, one token is not set: only the steps that need them fail."""
    with served(seeded) as told:
        netsuite, suiteprojects = told["netsuite"], told["suiteprojects"]
        keys = {f"NETSUITE_{name}".upper(): value for name, value in netsuite.items()} | {"NETSUITE_AUTH": "oauth2"}
        signed = {"SUITEPROJECTS_BASE_URL": suiteprojects["base_url"], "SUITEPROJECTS_KEY": suiteprojects["key"]}
        with environment(**(PASSWORDS | keys | signed | {"PRECORO_TOKEN": "", "MILLPOND_MODE": "live"})):
            result = seeded.run(BOTH)

    failed = failures(result)
    first = FIRST[OF_SUITEPROJECTS]
    assert failed.keys() == {f"target_{first}", f"target_{OF_PRECORO}"}
    assert "status 401" in failed[f"target_{first}"]
    assert "SUITEPROJECTS_PASSWORD" in failed[f"target_{first}"]
    assert "not configured: set PRECORO_TOKEN;" in failed[f"target_{OF_PRECORO}"]
    assert seeded.warehouse.table(f"mart_{first}").height > 3


def test_what_is_not_configured_is_named_where_it_is_needed(settled: Home) -> None:
    """A live run with an empty environment: every missing setting at once, and only for the system that is called.

    The sandbox has keys of its own: whatever stands in a .env that was filled for live runs stays out of it.
    """
    with environment(MILLPOND_MODE="live"):
        read = settled.run(OF_SUITEPROJECTS)
        target_states = settled.materialize(f"mart_{OF_PRECORO}", f"target_{OF_PRECORO}", f"target_{OF_SUITEPROJECTS}")

    names = "NETSUITE_ACCOUNT, NETSUITE_CLIENT_ID, NETSUITE_CERTIFICATE_ID, NETSUITE_PRIVATE_KEY_FILE"
    assert all(f"not configured: set {names}" in text for text in failures(read).values())
    told = failures(target_states)
    assert told.keys() == {f"target_{OF_PRECORO}", f"target_{OF_SUITEPROJECTS}"}
    assert "set PRECORO_TOKEN, PRECORO_EMAIL;" in told[f"target_{OF_PRECORO}"]
    assert "set SUITEPROJECTS_BASE_URL, SUITEPROJECTS_KEY, SUITEPROJECTS_COMPANY" in told[f"target_{OF_SUITEPROJECTS}"]
    with environment(**PASSWORDS):
        assert settled.run(BOTH).success


def test_a_host_that_nobody_answers_at_is_named_and_not_waited_for(settled: Home) -> None:
    """Every system: address, setting and what to check, within the patience that was set and not once per step."""
    before = (rows(settled), held(settled))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: refused at once
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        urls = {f"{system}_BASE_URL": f"http://{address}" for system in ("NETSUITE", "SUITEPROJECTS", "PRECORO")}
        with environment(**PASSWORDS, **urls, MILLPOND_MODE="live", MILLPOND_ATTEMPTS="2"):
            began = monotonic()
            told = failures(settled.materialize(f"target_{OF_PRECORO}", f"target_{OF_SUITEPROJECTS}"))
            read = settled.run(BOTH)
            took = monotonic() - began

    told |= failures(read)
    for step, system in (
        (f"target_{OF_PRECORO}", "precoro"),
        (f"target_{OF_SUITEPROJECTS}", "suiteprojects"),
        ("raw_netsuite__customers", "netsuite"),
    ):
        assert f"no connection to {address}" in told[step]
        assert f"check the address ({system.upper()}_BASE_URL), the network" in told[step]
    assert retried(read) == set()
    assert took < 30
    assert (rows(settled), held(settled)) == before


@pytest.mark.long
def test_a_file_that_is_no_pond_is_named_and_can_be_moved_away(settled: Home) -> None:
    """The text names file and mend; with a new warehouse the targets' own keys tell what is there, so nothing is sent."""
    stage, before, sent = settled.warehouse.stage, held(settled), writes(settled)
    stage.write_bytes(b"this was a database" * 100)

    refused = settled.run(BOTH)

    told = failures(refused)
    assert told
    assert all(text.startswith(f"{stage}: ") and "move it away" in text for text in told.values())
    assert retried(refused) == set()

    stage.rename(stage.with_suffix(".broken"))
    assert settled.run(BOTH).success
    assert (held(settled), writes(settled)) == (before, sent)


def test_a_folder_that_cannot_be_written_is_named(seeded: Home) -> None:
    """Another folder, or the right to write: a person must choose."""
    (seeded.folder / "warehouse").write_text("a file where the folder should be")

    told = failures(seeded.run(BOTH))

    assert told
    assert all("let this user write into the folder, or set MILLPOND_HOME" in text for text in told.values())


@pytest.mark.skipif(os.geteuid() == 0, reason="everything can be written by root")
def test_a_file_that_cannot_be_written_is_named(settled: Home) -> None:
    """Such as one that another user made."""
    settled.warehouse.stage.chmod(0o400)

    told = failures(settled.run(BOTH))

    assert all("check that this user may write there" in text for text in told.values())
