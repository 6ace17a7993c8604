"""Dependencies of options on other records, such as legal entities."""

import re
import sqlite3

from resources.sandbox.precoro.errors import invalid
from resources.sandbox.precoro.request_bodies import Form, number
from resources.sandbox.precoro.switches import PrecoroSwitches

# the parameter names of hotglue, seen in production; the SDK sends option_id
OPTION_KEYS = {
    "itemcustomfields": "item_custom_field_option_id",
    "documentcustomfields": "document_custom_field_option_id",
}


def change_dependencies(
    connection: sqlite3.Connection, company_id: int, kind: str, form: Form, switches: PrecoroSwitches, *, add: bool
) -> None:
    """Add or remove dependencies of an option.

    Raises:
        ApiError: The option does not exist, no entity is named, or a dependency exists already.
    """
    key = next((name for name in (OPTION_KEYS.get(kind, ""), "option_id") if name in form), None)
    option_id = number(form, key, "Option not found") if key else None
    options = connection.execute(
        "select 1 from options join fields using (field_id) where option_id = ? and company_id = ? and kind = ?",
        (option_id, company_id, kind),
    ).fetchall()
    if not options:
        raise invalid("option", "Option not found")
    depend_type = number({"depend_type": "0"} | form, "depend_type", "This value is not valid.") or 0
    entities = re.findall(r"\d+", form.get("entity_ids", form.get("depends_on_id", "")))
    if not entities:
        raise invalid("entity_ids", "This value should not be blank.")
    existing = connection.execute(
        "select entity_id from dependencies where option_id = ? and depend_type = ?", (option_id, depend_type)
    ).fetchall()
    if add and switches.duplicate_dependency == "reject" and {row["entity_id"] for row in existing} & set(entities):
        raise invalid("entity_ids", "This value is already used.")
    statement = (
        "insert or ignore into dependencies values (?, ?, ?)"
        if add
        else "delete from dependencies where option_id = ? and depend_type = ? and entity_id = ?"
    )
    connection.executemany(statement, [(option_id, depend_type, entity) for entity in entities])
