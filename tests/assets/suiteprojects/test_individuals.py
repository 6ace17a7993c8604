"""The name of an individual, in the shipped workflow files."""

from typing import Any

import polars as pl
import pytest

from assets.warehouse.staging_schemas import staging_schemas
from tests.assets.delivery.builders import mart_of
from tests.assets.suiteprojects.account import shipped
from tests.assets.suiteprojects.staged import CUSTOM, customer

PEOPLE: list[tuple[dict[str, Any], str]] = [
    ({"is_person": True, "first_name": "Ann", "last_name": "Berg", "company_name": "Ericsson"}, "Ann Berg"),
    ({"is_person": True, "last_name": "Berg", "company_name": "Ericsson"}, "Berg"),
    ({"is_person": True, "alt_name": "Ann B.", "company_name": "Ericsson"}, "Ann B."),
    ({"is_person": True, "company_name": "Ericsson"}, "Ericsson"),
    ({"is_person": False, "first_name": "Ann", "last_name": "Berg", "company_name": "Ericsson"}, "Ericsson"),
    ({"is_person": False, "alt_name": "Ericsson AB", "company_name": None}, "Ericsson AB"),
]


@pytest.mark.parametrize(("workflow", "field"), [("suiteprojects__customers", "company"), ("precoro__options", "name")])
def test_an_individual_keeps_its_own_name(workflow: str, field: str) -> None:
    """NetSuite's field for the company holds the employer of some individuals."""
    spec = shipped(workflow).spec
    schemas = {name: staging_schemas()[f"stg_netsuite__{name}"].schema for name in ("customers", "projects")}
    schema = {**schemas["customers"], **dict.fromkeys(CUSTOM, pl.String)}
    plain = {"is_inactive": False, "is_deleted": False, "subsidiary_id": "2", "custentity_oa_export_to_openair": "T"}
    rows = [{**plain, **customer(str(key), **person)} for key, (person, _) in enumerate(PEOPLE)]
    tables = {"customers": pl.DataFrame(rows, schema=schema), "projects": pl.DataFrame(schema=schemas["projects"])}
    read = {record.source: tables[record.source] for record in spec.records}

    mart = mart_of(spec.with_references({name: {} for name in spec.upstream}), **read)

    assert mart.sort("source_id")[field].to_list() == [name for _, name in PEOPLE]
