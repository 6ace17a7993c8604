"""The real job dies with its process, and the next one mends what it left.

One death is enough here; `python -m tests.bench.job_deaths` dies at every failpoint.
"""

from pathlib import Path

import pytest

from tests.orchestration.job_deaths import outlived, prepare

pytestmark = pytest.mark.long

DEATHS = [("answers_read", 0)]


@pytest.fixture(scope="module")
def two_days(settled_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second day: untouched, and lived through."""
    folder = tmp_path_factory.mktemp("deaths")
    prepare(settled_home, folder)
    return folder


@pytest.mark.parametrize(("failpoint", "skip"), DEATHS)
def test_the_run_after_a_killed_job_mends_everything(two_days: Path, failpoint: str, skip: int) -> None:
    """Nothing is lost, nothing is twice there, the ledger tells the truth, and a further run writes nothing."""
    assert outlived(two_days, failpoint, skip) == []
