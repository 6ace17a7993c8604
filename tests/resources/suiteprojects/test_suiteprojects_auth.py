"""OAuth 2: refresh tokens rotate, so losing one locks us out."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from resources.errors import CredentialsError
from resources.sandbox.world import Sandbox
from resources.suiteprojects.client import SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects


def opened(sandbox: Sandbox, token_file: Path) -> AbstractContextManager[SuiteProjectsClient]:
    """The client with OAuth."""
    own = sandbox.credentials["suiteprojects"]
    return open_suiteprojects(
        sandbox=str(sandbox.folder),
        client_id=own["client_id"],
        client_secret=own["client_secret"],
        refresh_token=own["refresh_token"],
        token_file=str(token_file),
    )


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
