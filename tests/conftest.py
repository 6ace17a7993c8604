"""Fixtures of all tests: an empty sandbox, an empty warehouse, and a counter of generated cases."""

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copyfile

import pytest
from hypothesis import settings

from assets.delivery.ledger.tables import ensure_ledger
from resources import redaction
from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse

# a busy machine is no failure; all other defaults of CI and of other machines are kept
settings.register_profile("no_deadline", settings(deadline=None))
settings.load_profile("no_deadline")

# each case in these modules takes several runs, so `make test` takes only the first case of each test
MANY_CASES = {
    "test_absence", "test_accounts", "test_assets_alone", "test_canary", "test_clock_jumps", "test_connector_dump",
    "test_countries", "test_customers_import", "test_damaged", "test_deliver", "test_delivery_volume", "test_drift",
    "test_env_file", "test_extract_calls", "test_hierarchies", "test_import_and_update", "test_incremental",
    "test_inputs", "test_interrupted", "test_interruptions", "test_interrupts", "test_killed_creates",
    "test_killed_runs", "test_large_tables", "test_legal_entities", "test_lossless", "test_never_blank",
    "test_normalization", "test_option_target", "test_projects_and_contacts", "test_rename", "test_selected",
    "test_staleness", "test_state_machine", "test_subsets", "test_sync_records", "test_templates_and_stages",
    "test_time_travel", "test_typed_values", "test_undo", "test_unkeyed_creates", "test_unknown_errors",
    "test_unlisted_options", "test_unread", "test_unreported_changes", "test_verification", "test_watermarks",
}  # fmt: skip


# collecting garbage among all that Dagster imports took a tenth of the tests' time
gc.set_threshold(50_000, 20, 50)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all cases but the first as long, in the modules of MANY_CASES."""
    seen = set[str]()
    for item in items:
        test = item.nodeid.partition("[")[0]
        if test in seen and item.path.stem in MANY_CASES:
            item.add_marker(pytest.mark.long)
        seen.add(test)
    gc.freeze()


COUNTED = "counted "


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Count the generated cases of a test, by a description; the summary prints the sums."""
    return lambda description, number: record_property(COUNTED + description, number)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the counted cases."""
    for outcome in ("passed", "failed"):
        sums: Counter[str] = Counter()
        for report in terminalreporter.getreports(outcome):
            if report.when == "call":
                sums.update({name: number for name, number in report.user_properties if name.startswith(COUNTED)})
        for name, number in sorted(sums.items()):
            terminalreporter.write_line(f"{number} {name.removeprefix(COUNTED)} {outcome}")


@pytest.fixture(autouse=True, scope="module")
def _same_secrets() -> Iterator[None]:
    """Forget a module's secrets after it: some are words such as `expired`, which other texts contain."""
    known, spellings = dict(redaction._known), redaction._spellings
    yield
    redaction._known.clear()
    redaction._known.update(known)
    redaction._spellings = spellings


@pytest.fixture(autouse=True)
def _same_environment() -> Iterator[None]:
    """Restore the environment after each test: commands set variables for the processes that they start."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """Return three simulated systems without records, with a clock that does not wait.

    NetSuite's empty customer table makes it an account without records; a sandbox that was never filled is refused.
    """
    made = Sandbox(tmp_path / "sandbox")
    made.netsuite.insert("customer", [])
    return made


@pytest.fixture(scope="session")
def new_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse's file with the ledger's empty tables: copying it costs a tenth of creating them."""
    made = Warehouse(tmp_path_factory.mktemp("new_ledger"))
    with made.writer() as con:
        ensure_ledger(con)
    return made.file


@pytest.fixture
def warehouse(tmp_path: Path, new_ledger: Path) -> Iterator[Warehouse]:
    """Return a warehouse without rows, kept open as in a run of Dagster."""
    made = Warehouse(tmp_path / "warehouse")
    made.folder.mkdir()
    copyfile(new_ledger, made.file)
    with made.kept_open():
        yield made
