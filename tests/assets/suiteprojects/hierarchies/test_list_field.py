"""The list of a record's nodes and the node of one hierarchy are the same property: only one of them may be mapped."""

from pathlib import Path

import pytest

from assets.delivery.component.workflow_file import load_workflow
from assets.delivery.spec.yaml_file import WorkflowFileError

FILE = """type: assets.components.SyncWorkflow
attributes:
  target: suiteprojects.Customer
  source: customers
  fields:
    - {{field: externalid, from: customer_id, locked: true}}
    - {{field: name, from: company_name}}
    - {{field: hierarchy_node_ids, from: category_id{list_state}}}
    - {{field: "hierarchy:Customer Department", from: custentity_department{node_state}}}
"""


def written(folder: Path, *, list_state: str = "", node_state: str = "") -> Path:
    """Write the workflow file."""
    path = folder / "suiteprojects__nodes" / "defs.yaml"
    path.parent.mkdir()
    path.write_text(FILE.format(list_state=list_state, node_state=node_state))
    return path


def test_the_list_beside_one_hierarchy_is_a_problem_of_the_file(tmp_path: Path) -> None:
    """Each run would undo with one what it did with the other."""
    with pytest.raises(
        WorkflowFileError, match=r"`hierarchy_node_ids` holds what `hierarchy:Customer Department` holds"
    ):
        load_workflow(written(tmp_path))


@pytest.mark.parametrize("off", ["list_state", "node_state"])
def test_one_of_them_may_be_switched_off(tmp_path: Path, off: str) -> None:
    """A row that is not in effect contradicts nothing."""
    assert load_workflow(written(tmp_path, **{off: ", active: false"})).spec.target_fields
