"""Each difference has the cause that was planted, and none is guessed."""

from collections.abc import Iterator

import pytest

from assets.suiteprojects.target import SuiteProjectsTarget
from resources.sandbox.sandbox import Sandbox
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.assets.delivery.shadow.connector import Connector, Row, connector, mapped

NOT_THERE, NOT_SELECTED = "(not in the target)", "(not selected)"
LONG = "The Long and Winding Company Name Incorporated"
CUT = 30


def faulty(row: Row) -> dict[str, str]:
    """Return what the connector writes: the wrong state, cut names, one name in another encoding."""
    values = mapped(row)
    values["addr_state"] = row["shipping_state"]
    values["company"] = values["company"][:CUT]
    if row["customer_id"] == "8":
        values["company"] = values["company"].encode().decode("latin-1")
    if row["customer_id"] == "11":
        values["addr_email"] = "someone@else.example"
    return values


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connector]:
    """Three nights beside a connector with faults, in an account that people use."""
    folder = tmp_path_factory.mktemp("shadow")
    sandbox = Sandbox(folder / "sandbox")
    with open_suiteprojects(sandbox=str(sandbox.folder)) as client:
        runner = WorkflowRunner(Warehouse(folder / "warehouse"), SuiteProjectsTarget(client, "Customer"), sandbox.clock)
        made = connector(runner, sandbox, maps=faulty)
        made.selects = lambda row: row["stage"] == "customer" and row["customer_id"] not in {"13"}
        _fill(made)
        made.wait(24)
        made.bring()
        made.begin()
        made.night()
        _second_day(made)
        made.night()
        _third_day(made)
        made.night()
        yield made


def _fill(made: Connector) -> None:
    for number in range(1, 41):
        values = {"shipping_state": f"X{number % 3}"} if 30 <= number < 38 else {}
        if number in {9, 10}:
            values["company_name"] = f"{LONG} {number}"
        if number == 8:
            values["company_name"] = "Åkerström & Söner"
        if number in {11, 12, 14}:
            values["email"] = f"info@{number}.example"
        if number in {21, 22, 23}:
            values["stage"] = "prospect"
        if number in {24, 25}:
            values["custentity_export"] = "F"
        made.add(str(number), **values)


def _second_day(made: Connector) -> None:
    made.wait(10)
    made.save("20", city="New City")
    made.save("7", city="Never Brought")
    made.wait(6)
    made.bring("7")
    made.wait(6)


def _third_day(made: Connector) -> None:
    made.wait(15)
    made.save("19", city="Arrived Later Than 7")
    made.wait(1)
    made.bring("7")
    made.edit("5", company="Edited by a person")
    made.sandbox.suiteprojects.delete("Customer", made.there["12"])
    made.wait(2)
    made.save("6", city="Changed Lately")
    made.add("50")
    made.wait(1)


@pytest.mark.parametrize(
    ("key", "field", "expected"),
    [
        ("5", "company", ("edited", "changed_in_target")),
        ("6", "addr_city", ("timing", "young")),
        ("7", "addr_city", ("incumbent_error", "stale")),
        ("8", "company", ("incumbent_error", "wrong_encoding")),
        ("9", "company", ("incumbent_error", "cut")),
        ("10", "company", ("incumbent_error", "cut")),
        ("11", "addr_email", ("unknown", "unknown")),
        ("12", NOT_THERE, ("edited", "gone_from_target")),
        ("13", NOT_THERE, ("unknown", "never_brought")),
        ("21", NOT_THERE, ("filter", "not_selected_there")),
        ("23", NOT_THERE, ("filter", "not_selected_there")),
        ("24", NOT_SELECTED, ("filter", "flag_not_set")),
        ("30", "addr_state", ("mapping_row", "other_column")),
        ("37", "addr_state", ("mapping_row", "other_column")),
        ("50", NOT_THERE, ("timing", "young")),
    ],
)  # fmt: skip
def test_the_planted_cause_is_found(nights: Connector, key: str, field: str, expected: tuple[str, str]) -> None:
    """By its evidence."""
    assert nights.causes().get((key, field)) == expected


def test_nothing_else_differs(nights: Connector) -> None:
    """Records without a planted difference are alike."""
    keys = {"5", "6", "7", "8", "9", "10", "11", "12", "13", "21", "22", "23", "24", "25", "50"}
    assert {key for key, _ in nights.causes()} == keys | {str(number) for number in range(30, 38)}
