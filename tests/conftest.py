"""What every test may ask for: a sandbox of its own, a warehouse of its own, and to have its seeds counted."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from resources.sandbox.sandbox import Sandbox
from resources.warehouse.warehouse import Warehouse

# a machine that is busy is no failure; what else differs between CI and a person's machine stays as it is
settings.register_profile("unhurried", settings(deadline=None))
settings.load_profile("unhurried")

# of these, each of whose cases is several runs, `make test` takes the first case of each test
MANY_CASES = {
    "test_customers_import", "test_drift", "test_import_and_update", "test_option_target", "test_normalization",
    "test_staleness", "test_undo",
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave further cases to the long lane, unless they are asked for by name."""
    seen = set[str]()
    for item in items:
        test = item.nodeid.partition("[")[0]
        if test in seen and item.path.stem in MANY_CASES:
            item.add_marker(pytest.mark.long)
        seen.add(test)


COUNTED = "counted "


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Say how many random stories of a kind a test went through; the end of the run tells the sum."""
    return lambda what, many: record_property(COUNTED + what, many)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many seeds were tried."""
    for outcome in ("passed", "failed"):
        sums: Counter[str] = Counter()
        for report in terminalreporter.getreports(outcome):
            if report.when == "call":
                sums.update({name: many for name, many in report.user_properties if name.startswith(COUNTED)})
        for name, many in sorted(sums.items()):
            terminalreporter.write_line(f"{many} {name.removeprefix(COUNTED)} {outcome}")


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """Three empty stand-ins on a clock that jumps."""
    return Sandbox(tmp_path / "sandbox")


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """An empty warehouse."""
    return Warehouse(tmp_path / "warehouse")
