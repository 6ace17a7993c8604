"""Hierarchies, levels, nodes and their associated records."""

from collections.abc import Callable

import pytest
from lxml import etree

from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.errors import ApiError
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches

Send = Callable[..., list[etree._Element]]


def tree(sandbox: Sandbox, type_name: str = "customer") -> dict[str, int]:
    """Add a hierarchy with a level and two nodes; return their ids."""
    spp = sandbox.suiteprojects
    hierarchy = spp.add("Hierarchy", name="Customer Department", type=type_name)
    level = spp.add("HierarchyNode", hierarchyid=str(hierarchy), name="Level 1", isalevel="1")
    node = {"hierarchyid": str(hierarchy), "levelid": str(level), "isanode": "1"}
    one, two = spp.add("HierarchyNode", **node, name="Services"), spp.add("HierarchyNode", **node, name="Sales")
    return {"hierarchy": hierarchy, "level": level, "one": one, "two": two}


def associations(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Return the node and record of each association."""
    rows = sandbox.suiteprojects.rows("HierarchyNode")
    return [(row["parentid"], row["recordid"]) for row in rows if row["recordid"] != "0"]


def test_writing_the_node_ids_updates_the_associations(sandbox: Sandbox) -> None:
    """Two forms of the same data; the list is replaced (§5)."""
    ids = tree(sandbox)
    key = sandbox.suiteprojects.add("Customer", name="A", hierarchy_node_ids=str(ids["one"]))
    assert associations(sandbox) == [(str(ids["one"]), str(key))]

    sandbox.suiteprojects.modify("Customer", key, hierarchy_node_ids=str(ids["two"]))
    assert associations(sandbox) == [(str(ids["two"]), str(key))]

    sandbox.suiteprojects.modify("Customer", key, hierarchy_node_ids="")
    assert associations(sandbox) == []


def test_association_rows_update_the_node_ids(sandbox: Sandbox) -> None:
    """A move adds the new association, checks it, and deletes the old one (§4)."""
    ids = tree(sandbox)
    spp = sandbox.suiteprojects
    key = spp.add("Customer", name="A")
    leaf = {"hierarchyid": str(ids["hierarchy"]), "recordid": str(key)}
    first = spp.add("HierarchyNode", **leaf, parentid=str(ids["one"]))
    spp.add("HierarchyNode", **leaf, parentid=str(ids["two"]))
    assert spp.rows("Customer")[0]["hierarchy_node_ids"] == f"{ids['one']},{ids['two']}"

    spp.delete("HierarchyNode", first)

    assert spp.rows("Customer")[0]["hierarchy_node_ids"] == str(ids["two"])


def test_a_record_has_one_node_per_hierarchy(sandbox: Sandbox) -> None:
    """1051; a level, another type's node and an unknown id are 1050 (§1.7)."""
    ids, projects = tree(sandbox), tree(sandbox, "project")
    cases = {
        f"{ids['one']},{ids['two']}": 1051,
        str(ids["level"]): 1050,
        str(projects["one"]): 1050,
        "999": 1050,
    }

    for text, status in cases.items():
        with pytest.raises(ApiError) as rejected:
            sandbox.suiteprojects.add("Customer", name="A", hierarchy_node_ids=text)
        assert rejected.value.status == status
    assert sandbox.suiteprojects.rows("Customer") == []


def test_writing_the_node_ids_may_add_to_the_list(sandbox: Sandbox) -> None:
    """Replace or add is [U] (§5)."""
    ids, other = tree(sandbox), tree(sandbox)
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, node_ids="add")
    key = sandbox.suiteprojects.add("Customer", name="A", hierarchy_node_ids=str(ids["one"]))

    sandbox.suiteprojects.modify("Customer", key, hierarchy_node_ids=str(other["one"]))

    assert len(associations(sandbox)) == 2


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("<name>X</name><isalevel>1</isalevel><levelid>{level}</levelid>", "1050"),
        ("<name>X</name><isanode>1</isanode>", "1050"),
        ("<isanode>1</isanode><levelid>{level}</levelid>", "908"),
        ("<name>X</name><isanode>1</isanode><levelid>{level}</levelid><parentid>999</parentid>", "881"),
        ("<name>X</name><is_a_node>1</is_a_node><levelid>{level}</levelid><parentid>{one}</parentid>", "0"),
        ("<parentid>{one}</parentid><recordid>999</recordid>", "859"),
    ],
)
def test_levels_nodes_and_associations_are_validated(sandbox: Sandbox, send: Send, content: str, status: str) -> None:
    """The table of §4; both spellings of the flags are accepted."""
    ids = tree(sandbox)
    node = f"<hierarchyid>{ids['hierarchy']}</hierarchyid>{content.format(**ids)}"

    (block,) = send(f'<Add type="HierarchyNode"><HierarchyNode>{node}</HierarchyNode></Add>')

    assert block.get("status") == status


def test_an_association_is_unique_and_cannot_be_modified(sandbox: Sandbox, send: Send) -> None:
    """It can only be replaced (§4)."""
    ids = tree(sandbox)
    key = sandbox.suiteprojects.add("Customer", name="A", hierarchy_node_ids=str(ids["one"]))
    leaf = next(row for row in sandbox.suiteprojects.rows("HierarchyNode") if row["recordid"] != "0")
    triple = f"<hierarchyid>{ids['hierarchy']}</hierarchyid><parentid>{ids['one']}</parentid><recordid>{key}</recordid>"

    duplicate, modified = send(
        f'<Add type="HierarchyNode"><HierarchyNode>{triple}</HierarchyNode></Add>'
        f'<Modify type="HierarchyNode"><HierarchyNode><id>{leaf["id"]}</id><parentid>{ids["two"]}</parentid>'
        "</HierarchyNode></Modify>"
    )

    assert (duplicate.get("status"), modified.get("status")) == ("1050", "803")


def test_a_node_in_use_cannot_be_deleted(sandbox: Sandbox) -> None:
    """Records and child nodes depend on it, and nodes on their level (§1.3)."""
    ids = tree(sandbox)
    sandbox.suiteprojects.add("Customer", name="A", hierarchy_node_ids=str(ids["one"]))

    for key in (ids["one"], ids["level"]):
        with pytest.raises(ApiError) as rejected:
            sandbox.suiteprojects.delete("HierarchyNode", key)
        assert rejected.value.status == 701
    sandbox.suiteprojects.delete("HierarchyNode", ids["two"])


def test_a_hierarchy_needs_a_valid_type(sandbox: Sandbox) -> None:
    """868 unless customer, project or user (§4)."""
    with pytest.raises(ApiError) as rejected:
        sandbox.suiteprojects.add("Hierarchy", name="X", type="contact")

    assert rejected.value.status == 868
