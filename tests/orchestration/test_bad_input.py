"""Wrong or missing credentials, unreachable hosts, an unusable warehouse: error texts, and recovery."""

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

from orchestration.configuration.secret_names import SECRETS
from orchestration.configuration.settings import ROOT, SETTINGS
from orchestration.configuration.settings_error import SettingsError
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from tests.orchestration.conftest import Home
from tests.orchestration.home_state import (
    CUSTOMERS,
    OPTIONS,
    credentials,
    environment,
    failures,
    retried,
    row_counts,
    target_records,
    writes,
)

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

GROUP = "customers"  # with workflows of both targets
# the workflow of a system that runs first: the others need it
FIRST = {CUSTOMERS: "suiteprojects__customer_department"}


def test_every_setting_that_an_error_names_exists() -> None:
    """An operator looks for it in .env.example."""
    named = re.compile(r"\b(?:MILLPOND|NETSUITE|SUITEPROJECTS|PRECORO)_[A-Z]+(?:_[A-Z]+)*\b")
    files = [path for path in (ROOT / "resources").rglob("*.py") if "sandbox" not in path.parts]
    found = {name for path in files for name in named.findall(path.read_text())}
    known = {f"{each.model_config['env_prefix']}{name.upper()}" for each in SETTINGS for name in each.model_fields}

    assert {"NETSUITE_ACCOUNT", "SUITEPROJECTS_KEY", "MILLPOND_HOME"} <= found
    assert found <= known | SECRETS.keys()


def another_public_key() -> str:
    """Return a public key that does not match, as after the certificate was revoked."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.long
def test_a_rejected_netsuite_key_is_tried_once_and_changes_nothing(synced: Home) -> None:
    """Five failed sign-ins lock a user for half an hour; warehouse and targets are not changed."""
    before = (row_counts(synced), target_records(synced))
    calls = len(synced.sandbox.netsuite.call_log())

    with credentials(synced, "netsuite", public_key=another_public_key()):
        rejected = synced.run(GROUP)

    failed = failures(rejected)
    attempts = synced.sandbox.netsuite.call_log()[calls:]
    assert not rejected.success
    assert [call["status"] for call in attempts] == [400]
    assert len(failed) == 4
    assert all(text.startswith("netsuite: sign in: ") for text in failed.values())
    for name in ("NETSUITE_ACCOUNT", "NETSUITE_CLIENT_ID", "NETSUITE_CERTIFICATE_ID", "NETSUITE_PRIVATE_KEY_FILE"):
        assert name in failed["raw_netsuite__customers"]
    assert retried(rejected) == set()
    assert (row_counts(synced), target_records(synced)) == before
    assert synced.run(GROUP).success


@contextmanager
def suiteprojects_rejects_sign_in(home: Home) -> Iterator[None]:
    """SuiteProjects Pro responds as to a wrong password within the block."""
    switches = home.sandbox.switches
    switches.set("suiteprojects", SuiteProjectsSwitches, auth_status=401)
    yield
    switches.set("suiteprojects", SuiteProjectsSwitches, auth_status=None)


@contextmanager
def precoro_rejects_sign_in(home: Home) -> Iterator[None]:
    """Precoro rejects our token within the block."""
    assert home.sandbox.precoro
    with credentials(home, "precoro", token="revoked"):
        yield


def calls_of(home: Home, system: str) -> int:
    """Return the number of attempted calls, including rejected sign-ins."""
    file = {"suiteprojects": "suiteprojects.sqlite", "precoro": "precoro_budget.sqlite"}[system]
    with sqlite3.connect(home.folder / "sandbox" / file) as con:
        return int(con.execute("select count(*) from calls").fetchall()[0][0])


@pytest.mark.long
@pytest.mark.parametrize(
    ("system", "rejecting", "workflow", "other", "names"),
    [
        (
            "suiteprojects",
            suiteprojects_rejects_sign_in,
            CUSTOMERS,
            OPTIONS,
            ["SUITEPROJECTS_COMPANY", "SUITEPROJECTS_USER", "SUITEPROJECTS_PASSWORD"],
        ),
        ("precoro", precoro_rejects_sign_in, OPTIONS, CUSTOMERS, ["PRECORO_TOKEN", "PRECORO_EMAIL"]),
    ],
)
def test_a_rejected_sign_in_does_not_affect_the_other_target(
    seeded: Home,
    system: str,
    rejecting: Callable[[Home], AbstractContextManager[None]],
    workflow: str,
    other: str,
    names: list[str],
) -> None:
    """One attempt, an error with the settings, the other target complete; the next run sends the rest."""
    with rejecting(seeded):
        rejected = seeded.run(GROUP)
        found, tried = target_records(seeded), calls_of(seeded, system)

    failed, first = failures(rejected), f"target_{FIRST.get(workflow, workflow)}"
    assert list(failed) == [first]
    assert failed[first].startswith(f"{system}: ")
    assert all(name in failed[first] for name in names)
    assert tried == 1
    assert found[workflow] == []
    assert len(found[other]) > 3

    sent = writes(seeded)[other]
    assert seeded.run(GROUP).success
    assert len(target_records(seeded)[workflow]) > 3
    assert (target_records(seeded)[other], writes(seeded)[other]) == (found[other], sent)


@contextmanager
def served(home: Home) -> Iterator[dict[str, Any]]:
    """Serve the sandbox on loopback ports, like live systems."""
    start = "from orchestration.cli.main import main; main()"
    command = [sys.executable, "-c", start, "sandbox", "serve", "--state", str(home.folder / "sandbox")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        try:
            yield json.loads(child.stdout.readline())
        finally:
            child.terminate()
            child.wait(20)


@pytest.mark.long
def test_each_live_system_fails_independently(seeded: Home) -> None:
    """One wrong password, one missing token: only the steps that need them fail."""
    with served(seeded) as details:
        netsuite, suiteprojects = details["netsuite"], details["suiteprojects"]
        keys = {f"NETSUITE_{name}".upper(): value for name, value in netsuite.items()} | {"NETSUITE_AUTH": "oauth2"}
        signed = {"SUITEPROJECTS_BASE_URL": suiteprojects["base_url"], "SUITEPROJECTS_KEY": suiteprojects["key"]}
        with environment(**(PASSWORDS | keys | signed | {"PRECORO_TOKEN": "", "MILLPOND_MODE": "live"})):
            result = seeded.run(GROUP)

    failed = failures(result)
    first = FIRST[CUSTOMERS]
    assert failed.keys() == {f"target_{first}", f"target_{OPTIONS}"}
    assert "status 401" in failed[f"target_{first}"]
    assert "SUITEPROJECTS_PASSWORD" in failed[f"target_{first}"]
    assert "not configured: set PRECORO_TOKEN;" in failed[f"target_{OPTIONS}"]
    assert seeded.warehouse.table(f"mart_{first}").height > 3


@pytest.mark.long
def test_missing_settings_are_named_where_they_are_needed(synced: Home) -> None:
    """A live run without settings names all of them at once, only for the systems that it calls.

    The sandbox has its own credentials and ignores those of live runs.
    """
    with environment(MILLPOND_MODE="live"):
        read = synced.run(CUSTOMERS)
        target_states = synced.materialize(f"mart_{OPTIONS}", f"target_{OPTIONS}", f"target_{CUSTOMERS}")

    names = "NETSUITE_ACCOUNT, NETSUITE_CLIENT_ID, NETSUITE_CERTIFICATE_ID, NETSUITE_PRIVATE_KEY_FILE"
    assert all(f"not configured: set {names}" in text for text in failures(read).values())
    failed = failures(target_states)
    assert failed.keys() == {f"target_{OPTIONS}", f"target_{CUSTOMERS}"}
    assert "set PRECORO_TOKEN, PRECORO_EMAIL;" in failed[f"target_{OPTIONS}"]
    assert "set SUITEPROJECTS_BASE_URL, SUITEPROJECTS_KEY, SUITEPROJECTS_COMPANY" in failed[f"target_{CUSTOMERS}"]
    with environment(**PASSWORDS):
        assert synced.run(GROUP).success


def test_an_unreachable_host_is_named_and_fails_fast(synced: Home) -> None:
    """For every system: address, setting and what to check, after MILLPOND_ATTEMPTS and without step retries."""
    before = (row_counts(synced), target_records(synced))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: the connection is refused at once
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        urls = {f"{system}_BASE_URL": f"http://{address}" for system in ("NETSUITE", "SUITEPROJECTS", "PRECORO")}
        with environment(**PASSWORDS, **urls, MILLPOND_MODE="live", MILLPOND_ATTEMPTS="2"):
            began = monotonic()
            failed = failures(synced.materialize(f"target_{OPTIONS}", f"target_{CUSTOMERS}"))
            read = synced.run(GROUP)
            took = monotonic() - began

    failed |= failures(read)
    for step, system in (
        (f"target_{OPTIONS}", "precoro"),
        (f"target_{CUSTOMERS}", "suiteprojects"),
        ("raw_netsuite__customers", "netsuite"),
    ):
        if "its records were sent to" in failed[step]:
            continue  # another address is another account: stopped before any call
        assert f"no connection to {address}" in failed[step]
        assert re.search(rf"check the address \([A-Z_, ]*{system.upper()}_BASE_URL\), the network", failed[step])
    assert retried(read) == set()
    assert took < 30
    assert (row_counts(synced), target_records(synced)) == before


@pytest.mark.long
def test_a_damaged_warehouse_is_named_and_can_be_replaced(synced: Home) -> None:
    """The error names file and fix; a new warehouse finds our records by their keys, so nothing is sent."""
    stage, before, sent = synced.warehouse.file, target_records(synced), writes(synced)
    stage.write_bytes(b"not a database" * 100)

    with pytest.raises(SettingsError, match="move it away") as refused:
        synced.run(GROUP)
    assert str(refused.value).startswith(f"{stage}: damaged: ")

    stage.rename(stage.with_suffix(".broken"))
    assert synced.run(GROUP).success
    assert (target_records(synced), writes(synced)) == (before, sent)


def test_an_unwritable_folder_is_named(seeded: Home) -> None:
    """The error names both fixes: another folder, or the permission to write."""
    (seeded.folder / "warehouse").write_text("a file where the folder should be")

    with pytest.raises(SettingsError, match="is not a folder; move it away, or set MILLPOND_HOME to another one"):
        seeded.run(GROUP)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everything")
def test_an_unwritable_file_is_named(synced: Home) -> None:
    """Such as one that another user created."""
    synced.warehouse.file.chmod(0o400)

    failed = failures(synced.run(GROUP))

    assert all("check that this user may write there" in text for text in failed.values())
