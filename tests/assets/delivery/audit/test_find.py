"""A record is found by NetSuite id, number, name, or the target's id."""

import polars as pl
import pytest

from assets.delivery.audit.explain import explain_record
from assets.delivery.audit.find import Record, find_records
from resources.warehouse.tables import replace_table
from resources.warehouse.warehouse import Warehouse
from tests.assets.delivery.audit.conftest import target_id
from tests.assets.delivery.builders import customer, customers
from tests.assets.delivery.run_workflow import WorkflowRunner


@pytest.mark.parametrize("text", ["1", "C1", "Acme 2", "ACME 2"])
def test_a_record_is_found_by_id_number_and_name(delivered: WorkflowRunner, text: str) -> None:
    """People know one of these; case does not matter in a name."""
    assert find_records(delivered.warehouse, text) == [Record("customers", "1", "C1", "Acme 2")]


def test_a_record_is_found_by_the_targets_id(delivered: WorkflowRunner) -> None:
    """Users of the target know only that id."""
    found = find_records(delivered.warehouse, target_id(delivered, "100"))

    assert found == [Record("projects", "100", "P100", "Project 100")]


def test_an_exact_id_wins_over_a_name(delivered: WorkflowRunner) -> None:
    """The text 100 means project 100, not the company of that name."""
    assert [record.source for record in find_records(delivered.warehouse, "100")] == ["projects"]


def test_an_unknown_text_finds_nothing(delivered: WorkflowRunner) -> None:
    """Neither a guess nor an error."""
    assert find_records(delivered.warehouse, "unknown") == []


def test_an_empty_warehouse_has_no_records(warehouse: Warehouse) -> None:
    """Its tables do not exist either."""
    assert find_records(warehouse, "1") == []


@pytest.mark.parametrize("text", ["departments:1", "sales", "4711"])
def test_a_classification_is_found_although_a_customer_has_its_id(delivered: WorkflowRunner, text: str) -> None:
    """It is delivered as well, as a node of a hierarchy; the number alone still means the customer."""
    with delivered.warehouse.writer() as con:
        con.execute(
            "insert into sync_links (workflow, source, source_id, target_id) values ('x', 'departments', '1', '4711')"
        )
        department = pl.DataFrame({"department_id": ["1"], "full_name": ["Sales"]})
        replace_table(con, "stg_netsuite__departments", department)

    assert find_records(delivered.warehouse, text) == [Record("departments", "1", "1", "Sales")]
    assert [each.source for each in find_records(delivered.warehouse, "1")] == ["customers"]


def test_a_part_of_a_name_or_number_finds_records_but_only_if_asked_for(delivered: WorkflowRunner) -> None:
    """In any case; what people say of a customer is rarely its whole name. A command that writes needs all of it."""
    assert find_records(delivered.warehouse, "cme") == []
    assert [each.source_id for each in find_records(delivered.warehouse, "CME", partial=True)] == ["1"]
    assert [each.source_id for each in find_records(delivered.warehouse, "p10", partial=True)] == ["100"]
    assert find_records(delivered.warehouse, "  ", partial=True) == []
    assert find_records(delivered.warehouse, "no such", partial=True) == []


def test_a_misspelled_name_suggests_records_and_explains_none(delivered: WorkflowRunner) -> None:
    """A similar name may be another record's."""
    assert [each.source_id for each in find_records(delivered.warehouse, "Acem", partial=True)] == ["1"]
    assert find_records(delivered.warehouse, "Acem") == []
    similar, explanation = explain_record(delivered.warehouse, "Acem")
    assert ([each.source_id for each in similar], explanation) == (["1"], None)


def test_an_exact_match_wins_over_a_part(delivered: WorkflowRunner) -> None:
    """`7` is a NetSuite id, whatever contains it."""
    assert [each.source_id for each in find_records(delivered.warehouse, "7", partial=True)] == ["7"]


@pytest.mark.parametrize("text", ["ACME Steel Inc", "ACME\u00a0 Steel\tInc", " acme\u00a0steel  inc", "T 1"])
def test_spaces_of_a_name_count_as_one(warehouse: Warehouse, text: str) -> None:
    """A page shows several spaces as one, which is what people copy."""
    with warehouse.writer() as con:
        row = {"company_name": "ACME\u00a0 Steel\tInc", "entity_number": "CUST  1"}
        replace_table(con, "stg_netsuite__customers", customers(customer("1", **row)))

    assert [each.source_id for each in find_records(warehouse, text, partial=True)] == ["1"]


def test_parts_of_e_mail_addresses_and_accents_do_not_matter(warehouse: Warehouse) -> None:
    """The domain of an address would name people; accents are rarely typed."""
    with warehouse.writer() as con:
        row = {"company_name": "Pérez & Söhne", "email": "rosa@secret.example", "entity_number": "CUST-1"}
        replace_table(con, "stg_netsuite__customers", customers(customer("1", **row)))

    assert find_records(warehouse, "secret", partial=True) == []
    assert [each.name for each in find_records(warehouse, "perez & so", partial=True)] == ["Pérez & Söhne"]


@pytest.mark.parametrize("text", ["1", "C1", "Employer AB"])
def test_a_found_record_has_the_name_that_it_has_everywhere(warehouse: Warehouse, text: str) -> None:
    """An individual's company name may be the employer's; it is found by it, and not called so."""
    with warehouse.writer() as con:
        person = customer("1", is_person=True, company_name="Employer AB", alt_name="Ann Berg")
        replace_table(con, "stg_netsuite__customers", customers(person))

    assert find_records(warehouse, text) == [Record("customers", "1", "C1", "Ann Berg")]
