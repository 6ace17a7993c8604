"""The whole job is killed, and the next run completes its work.

One failpoint is enough here; `python -m tests.bench.job_deaths` tries every failpoint, also with `--full-disk`.
"""

from pathlib import Path

import pytest

from tests.orchestration.job_deaths import differences_after_death, fill_disk, prepare

pytestmark = pytest.mark.long

DEATHS = [("answers_read", 0)]


@pytest.fixture(scope="module")
def two_days(synced_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home on its second day, and the same home after an undisturbed run."""
    folder = tmp_path_factory.mktemp("deaths")
    prepare(synced_home, folder)
    return folder


@pytest.mark.parametrize(("failpoint", "skip"), DEATHS)
def test_the_run_after_a_killed_job_completes_its_work(two_days: Path, failpoint: str, skip: int) -> None:
    """Nothing is lost or duplicated, every attempt has an outcome, and a further run writes nothing."""
    assert differences_after_death(two_days, failpoint, skip) == []


@pytest.mark.parametrize(
    "failpoint", ["mart_made", "target_state_read", "plan_taken", "answers_read", "publish_begins"]
)
def test_the_run_after_a_full_disk_completes_its_work(two_days: Path, failpoint: str) -> None:
    """The warehouse, spools and Dagster's own files cannot grow from there on; the job fails, the next run heals."""
    assert differences_after_death(two_days, failpoint, 0, fill_disk) == []
