"""A restore does not end shadow mode: the other connector still writes, whatever the backup knows."""

from pathlib import Path

from assets.delivery.ledger.shadows import Shadow, active_shadow, begin_shadow, end_shadow
from resources.clock import utc_now
from tests.orchestration.backup.conftest import WORKFLOW
from tests.orchestration.backup.test_backup import millpond
from tests.orchestration.conftest import Home


def begin(home: Home) -> None:
    """Begin shadow mode."""
    with home.warehouse.writer() as con:
        begin_shadow(con, Shadow(WORKFLOW, 0, "the connector", None, "ada", utc_now(home.sandbox.clock)))


def is_shadowed(home: Home) -> bool:
    """Return whether nothing of the workflow is sent."""
    with home.warehouse.writer(transaction=False) as con:
        return active_shadow(con, WORKFLOW) is not None


def test_a_backup_from_before_the_shadow_does_not_end_it(small: Home, tmp_path: Path) -> None:
    """The former warehouse has it; one from during the shadow brings it back, which sends nothing either."""
    before, during = tmp_path / "before.tar.gz", tmp_path / "during.tar.gz"
    assert millpond("backup", before) == 0
    begin(small)
    assert millpond("backup", during) == 0
    assert millpond("restore", before) == 0
    assert is_shadowed(small)
    with small.warehouse.writer() as con:
        end_shadow(con, WORKFLOW, "ada", utc_now(small.sandbox.clock), "")
    assert millpond("restore", during) == 0
    assert is_shadowed(small)
