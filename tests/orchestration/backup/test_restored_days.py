"""Yesterday's backup is restored: nothing is created twice, and no target ever shows an older value again."""

from pathlib import Path
from shutil import copytree

import pytest

from resources.sandbox.generator.seed import seed
from tests.orchestration.backup.restored_days import Days, millpond
from tests.orchestration.conftest import at_home
from tests.orchestration.expected_targets import target_customers
from tests.orchestration.home_state import decisions, failures

pytestmark = pytest.mark.long

CUSTOMERS = 60


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after its first run."""
    folder = tmp_path_factory.mktemp("first") / "home"
    with at_home(folder) as home:
        seed(home.sandbox, customers=CUSTOMERS, seed=11)
        assert failures(home.run("all")) == {}
    return folder


@pytest.mark.parametrize("number", range(6))
def test_a_restored_home_sends_nothing_old_and_nothing_twice(first_run: Path, tmp_path: Path, number: int) -> None:
    """Several days, runs, manual edits and unseen changes, chosen by a seed; the second run after it sends nothing."""
    copytree(first_run, tmp_path / "home")
    with at_home(tmp_path / "home") as home:
        days = Days(home, tmp_path, number)
        days.go()
        days.watch()

        days.run()

        assert list(days.problems()) == []
        assert list(days.differences()) == []
        before = days.writes()
        days.run()
        assert days.writes() == before
        assert list(days.problems()) == []


def test_manual_edits_are_drift_and_explain_names_the_restore(
    first_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of records that runs changed after the backup as well, where it cannot be known who wrote the value."""
    copytree(first_run, tmp_path / "home")
    with at_home(tmp_path / "home") as home:
        assert millpond("backup", tmp_path / "backup.tar.gz") == 0
        one, two = [row for row in target_customers(home.sandbox) if row["active"] == "1"][:2]
        key, other = one["externalid"], two["externalid"]
        home.sandbox.netsuite.update("customer", int(key), companyname="Newer Ltd")
        assert home.run("all").success
        for row in (one, two):
            home.sandbox.suiteprojects.modify("Customer", int(row["id"]), company="Edited")
        assert millpond("restore", tmp_path / "backup.tar.gz") == 0

        assert home.run("all").success

        found = decisions(home, "suiteprojects__customers")
        text = "edited in the target, or sent by a run after the backup that was restored: company"
        assert found[key] == ("update", "drift", text)
        assert found[other] == ("update", "drift", text)
        shown = {row["externalid"]: row["company"] for row in target_customers(home.sandbox)}
        assert shown[key] == "Newer Ltd"
        capsys.readouterr()
        assert millpond("explain", key) == 0
        assert "the warehouse was restored on" in " ".join(capsys.readouterr().out.split())
