"""One setting holds the keys of everything at rest, and they are rotated while runs go on."""

import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from orchestration.cli.plans import apply, undo
from orchestration.cli.run import plan
from orchestration.configuration.settings import ROOT
from resources.encryption import Cipher, EncryptionError
from resources.suiteprojects.connect import open_suiteprojects
from tests.orchestration.conftest import Home
from tests.orchestration.home_state import CUSTOMERS, environment

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def sign_in(home: Home, key: str) -> Path:
    """Store tokens as `millpond login` does; from then on each run uses and renews them."""
    own, file = home.sandbox.credentials["suiteprojects"], home.folder / "suiteprojects_tokens.json"
    with open_suiteprojects(
        sandbox=str(home.sandbox.folder), client_id=own["client_id"], client_secret=own["client_secret"],
        refresh_token=own["refresh_token"], token_file=str(file), encryption_key=key,
    ) as client:  # fmt: skip
        client.server_time()
    return file


def waiting(home: Home) -> str:
    """Return the newest plan of the customers that can be sent."""
    query = "select plan_id from sync_plans where workflow = ? and state in ('ready', 'waiting') order by position desc"
    return str(home.warehouse.read(query, [CUSTOMERS])["plan_id"][0])


@pytest.mark.long
def test_plans_images_and_tokens_survive_a_rotation(seeded: Home, tmp_path: Path) -> None:
    """Made with the old key, sent with both, undone with both, and everything new needs the new key alone."""
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    with environment(DAGSTER_HOME=str(tmp_path), MILLPOND_ENCRYPTION_KEY=OLD):
        tokens = sign_in(seeded, OLD)
        assert plan(CUSTOMERS) == 0
        made = waiting(seeded)
    with pytest.raises(EncryptionError):
        Cipher(NEW).decrypt(tokens.read_text())

    seeded.sandbox.clock.sleep(4000)  # the access token expires
    with environment(DAGSTER_HOME=str(tmp_path), MILLPOND_ENCRYPTION_KEY=f"{NEW},{OLD}"):
        assert apply(made) == 0
        (sent_by,) = seeded.warehouse.read("select sent_by from sync_plans where plan_id = ?", [made])["sent_by"]
        assert undo(sent_by) == 0
    assert json.loads(Cipher(NEW).decrypt(tokens.read_text()))["access_token"]

    with environment(DAGSTER_HOME=str(tmp_path), MILLPOND_ENCRYPTION_KEY=NEW):
        assert apply(waiting(seeded)) == 0
