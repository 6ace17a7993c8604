"""OAuth 2: refresh tokens rotate, so losing one locks us out."""

import json
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from resources.errors import CredentialsError
from resources.sandbox.sandbox import Sandbox
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
    sandbox: Sandbox, token_file: Path, seal_key: str = "", **more: float
) -> AbstractContextManager[SuiteProjectsClient]:
    """The client with OAuth."""
    own = sandbox.credentials["suiteprojects"]
    return open_suiteprojects(
        sandbox=str(sandbox.folder),
        client_id=own["client_id"],
        client_secret=own["client_secret"],
        refresh_token=own["refresh_token"],
        token_file=str(token_file),
        seal_key=seal_key,
        **more,  # type: ignore[arg-type]
    )


def die_at(failpoint: str, sandbox: Sandbox, file: Path) -> None:
    """A run that dies at its first request, which renews the token."""
    command = [sys.executable, "-c", DYING_RUN, str(sandbox.folder), str(file), failpoint]
    died = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, check=False, timeout=120)
    assert died.returncode == -9, died.stderr.decode()[-2000:]


def test_tokens_are_renewed_and_kept_private(sandbox: Sandbox, tmp_path: Path) -> None:
    """The file survives the process; the first refresh token is worth nothing by then."""
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


def test_a_token_that_was_revoked_is_replaced(sandbox: Sandbox, tmp_path: Path) -> None:
    """Status 9 although the clock says it is good."""
    file = tmp_path / "tokens.json"
    with opened(sandbox, file) as client:
        client.server_time()
        kept = json.loads(file.read_text())
        file.write_text(json.dumps(kept | {"access_token": "revoked"}))

        client.server_time()

    assert json.loads(file.read_text())["access_token"] != "revoked"


def test_a_used_refresh_token_needs_a_person(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two installations must not share one authorization."""
    with opened(sandbox, tmp_path / "one.json") as client:
        client.server_time()

    with opened(sandbox, tmp_path / "two.json") as client, pytest.raises(CredentialsError) as refused:
        client.server_time()

    assert "authorize the application again" in str(refused.value)


def test_many_at_once_spend_one_refresh_token(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each has its own connection, as processes have; a file lock lets one refresh."""

    def ask(_number: int) -> str:
        with opened(sandbox, tmp_path / "tokens.json") as client:
            assert isinstance(client, SuiteProjectsClient)
            return client.server_time()

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(ask, range(8)))) == 8


def test_a_process_that_dies_before_it_asked_loses_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """The token was about to be spent, and was not."""
    file = tmp_path / "tokens.json"
    die_at("request_begins", sandbox, file)

    with opened(sandbox, file) as client:
        assert client.server_time()


def test_a_token_lost_between_answer_and_save_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """The service gave out the next one, and nobody has it: the next run says when, why and what to do."""
    file = tmp_path / "tokens.json"
    die_at("request_served", sandbox, file)

    with opened(sandbox, file) as client, pytest.raises(CredentialsError) as refused:
        client.server_time()

    told = str(refused.value)
    assert f"a run ended at {sandbox.clock.now():%Y-%m-%d}" in told
    assert "`millpond login suiteprojects`" in told
    assert sandbox.credentials["suiteprojects"]["refresh_token"] not in told


def test_a_wrong_secret_does_not_look_like_a_lost_token(sandbox: Sandbox, tmp_path: Path) -> None:
    """It was not spent: once the secret is right, the run goes on."""
    file, own = tmp_path / "tokens.json", sandbox.credentials["suiteprojects"]
    wrong = open_suiteprojects(
        sandbox=str(sandbox.folder), client_id=own["client_id"], client_secret="wrong",
        refresh_token=own["refresh_token"], token_file=str(file),
    )  # fmt: skip
    with wrong as client, pytest.raises(CredentialsError, match="credentials or the role were refused"):
        client.server_time()

    assert json.loads(file.read_text())["spending_since"] == 0
    with opened(sandbox, file) as client:
        assert client.server_time()


def test_a_sealed_file_tells_nothing_and_needs_its_key(sandbox: Sandbox, tmp_path: Path) -> None:
    """Who copies the file has no tokens; who lost the key is told so."""
    file, key = tmp_path / "tokens.json", Fernet.generate_key().decode()
    with opened(sandbox, file, key) as client:
        client.server_time()
    assert "token" not in file.read_text()
    with opened(sandbox, file, key) as client:
        assert client.server_time()

    for other, told in (("", "set MILLPOND_SEAL_KEY"), (Fernet.generate_key().decode(), "another MILLPOND_SEAL_KEY")):
        with opened(sandbox, file, other) as client, pytest.raises(CredentialsError, match=told):
            client.server_time()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"strange": 1}'])
def test_a_damaged_file_is_told(sandbox: Sandbox, tmp_path: Path, content: str) -> None:
    """Never a traceback, never a fresh start over a token that may still be good."""
    file = tmp_path / "tokens.json"
    file.write_text(content)

    with opened(sandbox, file) as client, pytest.raises(CredentialsError, match="it is damaged"):
        client.server_time()

    assert file.read_text() == content


def test_the_days_that_are_left_are_counted_from_the_last_renewal(sandbox: Sandbox, tmp_path: Path) -> None:
    """A refresh token lives for days, each renewal starts anew; without the setting nobody knows."""
    file = tmp_path / "tokens.json"
    with opened(sandbox, file, refresh_days=31) as client:
        assert client.days_left() is None
        client.server_time()
        sandbox.clock.sleep(86_400 * 3)
        assert client.days_left() == pytest.approx(28, abs=0.01)
    with opened(sandbox, file) as client:
        assert client.days_left() is None
