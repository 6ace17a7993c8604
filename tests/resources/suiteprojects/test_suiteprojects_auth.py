"""OAuth 2: refresh tokens rotate, so a lost one locks us out."""

import json
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from resources.errors import BusyError, CredentialsError
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.auth import TOKEN_PATH
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects

DYING_RUN = """
import sys
from pathlib import Path
from resources.failpoints import arm
from resources.sandbox.sandbox import Sandbox
from tests.resources.suiteprojects.test_suiteprojects_auth import opened
arm(sys.argv[3])
with opened(Sandbox(Path(sys.argv[1])), Path(sys.argv[2])) as client:
    client.server_time()
"""


def opened(
    sandbox: Sandbox, token_file: Path, encryption_key: str = "", **more: Any
) -> AbstractContextManager[SuiteProjectsClient]:
    """Open a client that signs in by OAuth 2."""
    own = sandbox.credentials["suiteprojects"]
    return open_suiteprojects(
        sandbox=str(sandbox.folder),
        client_id=own["client_id"],
        client_secret=own["client_secret"],
        refresh_token=own["refresh_token"],
        token_file=str(token_file),
        encryption_key=encryption_key,
        **more,
    )


def die_at(failpoint: str, sandbox: Sandbox, file: Path) -> None:
    """Kill a run at its first request, which renews the token."""
    command = [sys.executable, "-c", DYING_RUN, str(sandbox.folder), str(file), failpoint]
    process = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, check=False, timeout=120)
    assert process.returncode == -9, process.stderr.decode()[-2000:]


def test_tokens_are_renewed_and_private(sandbox: Sandbox, tmp_path: Path) -> None:
    """The file outlives the process; the first refresh token is invalid by then."""
    file = tmp_path / "tokens.json"
    with opened(sandbox, file) as client:
        client.server_time()
        first = json.loads(file.read_text())
        client.server_time()
        assert json.loads(file.read_text()) == first
    sandbox.clock.sleep(4000)
    with opened(sandbox, file) as client:
        client.server_time()

    assert json.loads(file.read_text())["refresh_token"] != first["refresh_token"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_revoked_token_is_replaced(sandbox: Sandbox, tmp_path: Path) -> None:
    """Status 9 although the token has not expired."""
    file = tmp_path / "tokens.json"
    with opened(sandbox, file) as client:
        client.server_time()
        tokens = json.loads(file.read_text())
        file.write_text(json.dumps(tokens | {"access_token": "revoked"}))

        client.server_time()

    assert json.loads(file.read_text())["access_token"] != "revoked"


def test_a_token_that_is_refused_by_http_is_replaced(sandbox: Sandbox, tmp_path: Path) -> None:
    """A stale token may be answered with HTTP 401: it is renewed, and the error stays if that does not help."""
    file = tmp_path / "tokens.json"
    with opened(sandbox, file) as client:
        client.server_time()
        stale = json.loads(file.read_text())["access_token"]
        sandbox.faults.plan("suiteprojects", Fault(FaultKind.REFUSED_401, pattern=stale, times=9))

        client.server_time()

        assert json.loads(file.read_text())["access_token"] != stale
        sandbox.faults.plan("suiteprojects", Fault(FaultKind.REFUSED_401, pattern="access_token", times=9))
        with pytest.raises(CredentialsError, match="HTTP 401"):
            client.server_time()


@pytest.mark.parametrize("status", [None, 200])
def test_a_used_refresh_token_needs_a_new_authorization(sandbox: Sandbox, tmp_path: Path, status: int | None) -> None:
    """Two installations must not share one authorization; the service's word counts, not its HTTP status."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, token_error_status=status)
    with opened(sandbox, tmp_path / "one.json") as client:
        client.server_time()

    with opened(sandbox, tmp_path / "two.json") as client, pytest.raises(CredentialsError) as raised:
        client.server_time()

    assert "authorize the application again" in str(raised.value)


def test_parallel_clients_use_one_refresh_token(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each client has its own connection, as processes do; a file lock lets one refresh."""

    def server_time(_number: int) -> str:
        with opened(sandbox, tmp_path / "tokens.json") as client:
            assert isinstance(client, SuiteProjectsClient)
            return client.server_time()

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(server_time, range(8)))) == 8


def test_a_crash_before_the_refresh_loses_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """The refresh token was about to be sent, and was not."""
    file = tmp_path / "tokens.json"
    die_at("request_begins", sandbox, file)

    with opened(sandbox, file) as client:
        assert client.server_time()


def test_a_token_lost_between_response_and_save_is_reported(sandbox: Sandbox, tmp_path: Path) -> None:
    """The service issued the next token and no one has it: the error says when, why and what to do."""
    file = tmp_path / "tokens.json"
    die_at("request_served", sandbox, file)

    with opened(sandbox, file) as client, pytest.raises(CredentialsError) as raised:
        client.server_time()

    text = str(raised.value)
    assert f"a run that renewed it ended at {sandbox.clock.now():%Y-%m-%d}" in text
    assert "`millpond login suiteprojects`" in text
    assert sandbox.credentials["suiteprojects"]["refresh_token"] not in text


@pytest.mark.parametrize("status", [None, 400, 200])
def test_a_wrong_secret_is_not_reported_as_a_lost_token(sandbox: Sandbox, tmp_path: Path, status: int | None) -> None:
    """The token was not used, whatever the HTTP status: with the right secret the next run succeeds."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, token_error_status=status)
    file, own = tmp_path / "tokens.json", sandbox.credentials["suiteprojects"]
    wrong = open_suiteprojects(
        sandbox=str(sandbox.folder), client_id=own["client_id"], client_secret="wrong",
        refresh_token=own["refresh_token"], token_file=str(file),
    )  # fmt: skip
    with wrong as client, pytest.raises(CredentialsError, match="invalid_client: compare SUITEPROJECTS_CLIENT_ID"):
        client.server_time()

    assert json.loads(file.read_text())["spending_since"] == 0
    with opened(sandbox, file) as client:
        assert client.server_time()


def test_a_renewal_that_was_refused_for_now_spends_no_token(sandbox: Sandbox, tmp_path: Path) -> None:
    """A later rejection of the same token would be blamed on a run that died."""
    file = tmp_path / "tokens.json"
    sandbox.faults.plan("suiteprojects", Fault(FaultKind.LOCKED_423, pattern=TOKEN_PATH, times=2))

    with opened(sandbox, file, attempts=2, clock=sandbox.clock) as client, pytest.raises(BusyError):
        client.server_time()

    assert json.loads(file.read_text())["spending_since"] == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"base_url": "https://other.app.netsuitesuiteprojectspro.com"}, "other.app.netsuitesuiteprojectspro.com"),
        ({"client_id": "another application"}, "client another application"),
    ],
    ids=["account", "application"],
)
def test_another_account_gets_none_of_the_tokens(
    sandbox: Sandbox, tmp_path: Path, change: dict[str, str], named: str
) -> None:
    """A home that is pointed at another company: neither token leaves it, and the file is as it was."""
    file, own = tmp_path / "tokens.json", sandbox.credentials["suiteprojects"]
    with opened(sandbox, file) as client:
        client.server_time()
    before = file.read_bytes()
    given = {name: own[name] for name in ("client_id", "client_secret", "refresh_token")} | change
    elsewhere = open_suiteprojects(sandbox=str(sandbox.folder), token_file=str(file), **given)

    with elsewhere as client, pytest.raises(CredentialsError, match="its tokens are those of") as raised:
        client.server_time()

    assert named in str(raised.value)
    assert file.read_bytes() == before
    with opened(sandbox, file) as client:
        assert client.server_time()


def test_a_file_of_an_earlier_version_is_bound_when_it_is_renewed(sandbox: Sandbox, tmp_path: Path) -> None:
    """It does not name its account yet."""
    file = tmp_path / "tokens.json"
    with opened(sandbox, file) as client:
        client.server_time()
    tokens = json.loads(file.read_text())
    assert "client " in tokens.pop("issued_by")
    file.write_text(json.dumps(tokens))
    sandbox.clock.sleep(4000)

    with opened(sandbox, file) as client:
        assert client.server_time()

    assert json.loads(file.read_text())["issued_by"]


def test_an_encrypted_file_needs_its_key(sandbox: Sandbox, tmp_path: Path) -> None:
    """A copy of the file is useless; a missing or wrong key is reported."""
    file, key = tmp_path / "tokens.json", Fernet.generate_key().decode()
    with opened(sandbox, file, key) as client:
        client.server_time()
    assert "token" not in file.read_text()
    with opened(sandbox, file, key) as client:
        assert client.server_time()
    rotated = f"{Fernet.generate_key().decode()},{key}"  # the first key encrypts, each decrypts
    with opened(sandbox, file, rotated) as client:
        assert client.server_time()

    another = Fernet.generate_key().decode()
    for other, text in (("", "set MILLPOND_ENCRYPTION_KEY"), (another, "another MILLPOND_ENCRYPTION_KEY")):
        with opened(sandbox, file, other) as client, pytest.raises(CredentialsError, match=text):
            client.server_time()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"strange": 1}'])
def test_a_damaged_file_is_reported(sandbox: Sandbox, tmp_path: Path, content: str) -> None:
    """No traceback, and no new start over a token that may still be valid."""
    file = tmp_path / "tokens.json"
    file.write_text(content)

    with opened(sandbox, file) as client, pytest.raises(CredentialsError, match="it is damaged"):
        client.server_time()

    assert file.read_text() == content


def test_days_left_are_counted_from_the_last_renewal(sandbox: Sandbox, tmp_path: Path) -> None:
    """A refresh token is valid for days from its last renewal; without the setting the days are unknown."""
    file = tmp_path / "tokens.json"
    with opened(sandbox, file, refresh_days=31) as client:
        assert client.days_left() is None
        client.server_time()
        sandbox.clock.sleep(86_400 * 3)
        assert client.days_left() == pytest.approx(28, abs=0.01)
    with opened(sandbox, file) as client:
        assert client.days_left() is None
