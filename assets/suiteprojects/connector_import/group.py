"""Resolve the names of a mapping group: NetSuite's fields to staging columns, SuiteProjects Pro's to API fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assets.suiteprojects.connector_import.conditions import Column, ConditionError
from assets.suiteprojects.connector_import.names import Point, record_type_of
from assets.suiteprojects.record_types import KEY_FIELD
from assets.warehouse.staging_schemas import staging_schemas

STAGES = {"_customer": "customer", "_lead": "lead", "_prospect": "prospect"}


class NotConvertibleError(Exception):
    """A row has no equivalent in a workflow file; the text is the reason."""


@dataclass(frozen=True)
class Group:
    """A mapping group: its integration point, and the names that its notation declares, by keyword."""

    point: Point
    declared: Mapping[str, set[str]]

    def source(self, name: str, *, notation: bool = True) -> str:
        """Return the staging column of a source field.

        Raises:
            NotConvertibleError: The notation does not declare it, or there is no such column.
        """
        bare = name.removeprefix(f"{self.point.record}.")
        if notation and bare != "internalId":
            for keyword in ("NS_FIELDS", *(["NS_CUSTOM_FIELDS"] if bare.startswith("custentity") else [])):
                if bare not in self._names(keyword, f"{keyword}_INITIAL_ONLY"):
                    raise NotConvertibleError(f"`{bare}` is not declared under {keyword}")
        found = self.point.column(bare)
        if found is None:
            raise NotConvertibleError(f"there is no column for NetSuite's `{bare}` of {self.point.record}")
        return found

    def column(self, name: str) -> Column:
        """Return a source field for a condition; ConditionError if it cannot be resolved."""
        try:
            found = self.source(name)
        except NotConvertibleError as error:
            raise ConditionError(str(error)) from error
        dtype = str(staging_schemas()[f"stg_netsuite__{self.point.source}"].schema.get(found, "String"))
        kind = {"String": "text", "Boolean": "boolean"}.get(dtype, "other")
        return Column(found, kind, stage if found == "stage" else str)

    def target_row(self, name: str, *, notation: bool = True) -> dict[str, Any]:
        """Return a row for a target field, without a source.

        Raises:
            NotConvertibleError: The notation does not declare it, or there is no such field.
        """
        table, _, bare = name.rpartition(".")
        if table and record_type_of(table) != self.point.target:
            raise NotConvertibleError(f"the target is of table `{table}`, not of {self.point.target}")
        once = self._names("OA_FIELDS_INITIAL_ONLY", "OA_CUSTOM_FIELDS_INITIAL_ONLY")
        if notation:
            if bare not in self._names("OA_FIELDS") | once:
                raise NotConvertibleError(f"`{bare}` is not declared under OA_FIELDS")
            custom = self._names("OA_CUSTOM_FIELDS", "OA_CUSTOM_FIELDS_INITIAL_ONLY")
            bare = f"{bare}__c" if bare in custom else bare
        found = self.point.target_field(bare)
        if found is None:
            raise NotConvertibleError(f"SuiteProjects Pro's API has no field for `{bare}` of {self.point.target}")
        if found == KEY_FIELD:
            raise NotConvertibleError(f"`{found}` holds the record's key, NetSuite's internal id; no row overrides it")
        initial_only = bare in once or bare.removesuffix("__c") in once
        return {"field": found, **({"on": "create"} if initial_only else {})}

    def _names(self, *keywords: str) -> set[str]:
        return set().union(*(self.declared.get(keyword, set()) for keyword in keywords))


def stage(value: str) -> str:
    """Return the name of a stage in the staging tables."""
    return STAGES.get(value, value)
