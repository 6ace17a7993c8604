"""Two simulations of the same days differ in what their workflow files make of them, and in nothing else."""

from pathlib import Path

from orchestration.simulation.comparison import compare
from orchestration.simulation.options import Options
from orchestration.simulation.result import Result
from orchestration.simulation.targets import TargetRecord


def record(number: int, key: str | None, parent: str | None = None, **values: str) -> TargetRecord:
    """Return a customer of SuiteProjects Pro."""
    uid = f"suiteprojects Customer {number}"
    raw = {"id": str(number), "created": f"at {number}", **values}
    return TargetRecord(uid, key, values.get("name"), is_active=True, parent=parent, raw=raw)


def result(*records: TargetRecord) -> Result:
    """Return the result of a simulation with these records at its end."""
    return Result(Options(Path()), records={each.uid: each for each in records})


def test_ids_and_times_of_the_target_are_no_difference() -> None:
    """They depend on the order of creation."""
    (found,) = compare(result(record(1, "7", name="a")), result(record(9, "7", name="a")))

    assert found.is_empty
    assert found.alike == 1


def test_records_of_one_side_are_listed() -> None:
    """In the order of their numbers, as people read them."""
    (found,) = compare(result(record(1, "7"), record(2, "10"), record(3, "9")), result(record(1, "7"), record(2, "11")))

    assert found.only_here == ["9", "10"]
    assert found.only_there == ["11"]


def test_fields_that_differ_are_counted_with_examples() -> None:
    """A field that only one side fills differs as well."""
    here = [record(number, str(number), name=f"n{number}", phone="1") for number in range(1, 9)]
    there = [record(number, str(number), name=f"N{number}") for number in range(1, 9)]

    (found,) = compare(result(*here), result(*there))

    assert dict(found.fields) == {"name": 8, "phone": 8}
    assert found.examples["name"][0] == ("1", "n1", "N1")
    assert len(found.examples["name"]) == 5
    assert found.document()["fields"][1]["examples"][0] == {"record": "1", "here": "1", "there": None}


def test_a_parent_is_compared_by_its_key() -> None:
    """Its id in the target differs between the two."""
    here = result(record(1, "7"), record(2, "8", parent="suiteprojects Customer 1"))
    same = result(record(5, "7"), record(6, "8", parent="suiteprojects Customer 5"))
    moved = result(record(5, "7"), record(6, "8"))

    assert compare(here, same)[0].is_empty
    assert dict(compare(here, moved)[0].fields) == {"(parent)": 1}


def test_records_without_our_key_are_matched_by_name() -> None:
    """People made them, in both."""
    (found,) = compare(result(record(1, None, name="x")), result(record(2, None, name="x"), record(3, None, name="y")))

    assert found.alike == 1
    assert found.only_there == ["“y”"]
