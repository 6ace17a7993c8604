"""An asset that is selected alone before the tables that it reads exist: the error names what to materialize."""

import pytest

from orchestration.definitions import definitions
from tests.orchestration.conftest import Home
from tests.orchestration.home_state import failures

READS_NOTHING = ("raw_", "netsuite_reads", "target_", "analyst_snapshot")  # NetSuite, the target, or whatever exists


def _executable() -> list[str]:
    job = definitions().resolve_implicit_global_asset_job_def()
    names = sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys)
    return [name for name in names if not name.startswith(READS_NOTHING)]


def _check(home: Home, names: list[str]) -> None:
    for name in names:
        text = failures(home.materialize(name))[name]
        assert "Catalog Error" not in text, text
        assert "materialize" in text, text


@pytest.mark.parametrize("layer", ["stg_", "hist_", "mart_", "selection_", "plan_", "sync_", "candidates_", "tree_"])
def test_the_first_asset_of_each_layer_names_what_to_materialize(home: Home, layer: str) -> None:
    """In words, without a database error and without retries."""
    _check(home, [name for name in _executable() if name.startswith(layer)][:1])


@pytest.mark.long
def test_every_asset_names_what_to_materialize(home: Home) -> None:
    """Also those of further workflows and tables."""
    names = _executable()
    assert len(names) > 30
    _check(home, names)
