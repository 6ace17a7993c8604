"""Hierarchies, levels, nodes and the records under them."""

from collections.abc import Callable

import pytest
from lxml import etree

from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.records import RefusedError
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches

Talk = Callable[..., list[etree._Element]]


def tree(sandbox: Sandbox, type_name: str = "customer") -> dict[str, int]:
    """One hierarchy with a level and two nodes."""
    spp = sandbox.suiteprojects
    hierarchy = spp.add("Hierarchy", name="Customer Department", type=type_name)
    level = spp.add("HierarchyNode", hierarchyid=str(hierarchy), name="Level 1", isalevel="1")
    node = {"hierarchyid": str(hierarchy), "levelid": str(level), "isanode": "1"}
    one, two = spp.add("HierarchyNode", **node, name="Services"), spp.add("HierarchyNode", **node, name="Sales")
    return {"hierarchy": hierarchy, "level": level, "one": one, "two": two}


def associations(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Each association: node and record."""
    rows = sandbox.suiteprojects.rows("HierarchyNode")
    return [(row["parentid"], row["recordid"]) for row in rows if row["recordid"] != "0"]


def test_writing_the_list_makes_the_association_rows(sandbox: Sandbox) -> None:
    """Two views of one thing; the list is replaced (§5)."""
    made = tree(sandbox)
    key = sandbox.suiteprojects.add("Customer", name="A", hierarchy_node_ids=str(made["one"]))
    assert associations(sandbox) == [(str(made["one"]), str(key))]

    sandbox.suiteprojects.modify("Customer", key, hierarchy_node_ids=str(made["two"]))
    assert associations(sandbox) == [(str(made["two"]), str(key))]

    sandbox.suiteprojects.modify("Customer", key, hierarchy_node_ids="")
    assert associations(sandbox) == []


def test_association_rows_make_the_list(sandbox: Sandbox) -> None:
    """A move is: add the new one, check, delete the old one (§4)."""
    made = tree(sandbox)
    spp = sandbox.suiteprojects
    key = spp.add("Customer", name="A")
    leaf = {"hierarchyid": str(made["hierarchy"]), "recordid": str(key)}
    first = spp.add("HierarchyNode", **leaf, parentid=str(made["one"]))
    spp.add("HierarchyNode", **leaf, parentid=str(made["two"]))
    assert spp.rows("Customer")[0]["hierarchy_node_ids"] == f"{made['one']},{made['two']}"

    spp.delete("HierarchyNode", first)

    assert spp.rows("Customer")[0]["hierarchy_node_ids"] == str(made["two"])


def test_a_record_has_one_node_per_hierarchy(sandbox: Sandbox) -> None:
    """1051; a level, another type's node and nonsense are 1050 (§1.7)."""
    made, projects = tree(sandbox), tree(sandbox, "project")
    cases = {
        f"{made['one']},{made['two']}": 1051,
        str(made["level"]): 1050,
        str(projects["one"]): 1050,
        "999": 1050,
    }

    for text, status in cases.items():
        with pytest.raises(RefusedError) as refused:
            sandbox.suiteprojects.add("Customer", name="A", hierarchy_node_ids=text)
        assert refused.value.status == status
    assert sandbox.suiteprojects.rows("Customer") == []


def test_writing_the_list_may_add_instead(sandbox: Sandbox) -> None:
    """Replace or add is [U] (§5)."""
    made, other = tree(sandbox), tree(sandbox)
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, node_ids="add")
    key = sandbox.suiteprojects.add("Customer", name="A", hierarchy_node_ids=str(made["one"]))

    sandbox.suiteprojects.modify("Customer", key, hierarchy_node_ids=str(other["one"]))

    assert len(associations(sandbox)) == 2


@pytest.mark.parametrize(
    ("inside", "status"),
    [
        ("<name>X</name><isalevel>1</isalevel><levelid>{level}</levelid>", "1050"),
        ("<name>X</name><isanode>1</isanode>", "1050"),
        ("<isanode>1</isanode><levelid>{level}</levelid>", "908"),
        ("<name>X</name><isanode>1</isanode><levelid>{level}</levelid><parentid>999</parentid>", "881"),
        ("<name>X</name><is_a_node>1</is_a_node><levelid>{level}</levelid><parentid>{one}</parentid>", "0"),
        ("<parentid>{one}</parentid><recordid>999</recordid>", "859"),
    ],
)
def test_levels_nodes_and_associations_have_their_rules(sandbox: Sandbox, talk: Talk, inside: str, status: str) -> None:
    """The table of §4; both spellings of the flags are accepted."""
    made = tree(sandbox)
    node = f"<hierarchyid>{made['hierarchy']}</hierarchyid>{inside.format(**made)}"

    (block,) = talk(f'<Add type="HierarchyNode"><HierarchyNode>{node}</HierarchyNode></Add>')

    assert block.get("status") == status


def test_an_association_is_neither_doubled_nor_modified(sandbox: Sandbox, talk: Talk) -> None:
    """Its triple is unique, and it is replaced rather than changed (§4)."""
    made = tree(sandbox)
    key = sandbox.suiteprojects.add("Customer", name="A", hierarchy_node_ids=str(made["one"]))
    leaf = next(row for row in sandbox.suiteprojects.rows("HierarchyNode") if row["recordid"] != "0")
    triple = (
        f"<hierarchyid>{made['hierarchy']}</hierarchyid><parentid>{made['one']}</parentid><recordid>{key}</recordid>"
    )

    doubled, modified = talk(
        f'<Add type="HierarchyNode"><HierarchyNode>{triple}</HierarchyNode></Add>'
        f'<Modify type="HierarchyNode"><HierarchyNode><id>{leaf["id"]}</id><parentid>{made["two"]}</parentid>'
        "</HierarchyNode></Modify>"
    )

    assert (doubled.get("status"), modified.get("status")) == ("1050", "803")


def test_a_node_in_use_is_not_deleted(sandbox: Sandbox) -> None:
    """Records and nodes below it keep it; so do nodes their level (§1.3)."""
    made = tree(sandbox)
    sandbox.suiteprojects.add("Customer", name="A", hierarchy_node_ids=str(made["one"]))

    for key in (made["one"], made["level"]):
        with pytest.raises(RefusedError) as refused:
            sandbox.suiteprojects.delete("HierarchyNode", key)
        assert refused.value.status == 701
    sandbox.suiteprojects.delete("HierarchyNode", made["two"])


def test_a_hierarchy_has_a_type(sandbox: Sandbox) -> None:
    """868 unless customer, project or user (§4)."""
    with pytest.raises(RefusedError) as refused:
        sandbox.suiteprojects.add("Hierarchy", name="X", type="contact")

    assert refused.value.status == 868
