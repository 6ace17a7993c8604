"""The view workflow_status: what was delivered, not what was looked at."""

import sql
from tests.assets.delivery.builders import customer, option_tree
from tests.assets.delivery.run_workflow import WorkflowRunner


def status(runner: WorkflowRunner) -> dict[str, object]:
    """Return the view's only row."""
    with runner.warehouse.writer() as con:
        con.execute(sql.statement("analytics", "workflow_status").text)
        found = con.execute("from workflow_status")
        (row,) = found.fetchall()
        return dict(zip([column[0] for column in found.description or ()], row, strict=True))


def test_records_that_were_switched_off_are_counted_apart(precoro: WorkflowRunner) -> None:
    """They are in the target, but no one can select them; later runs that send nothing to them change nothing."""
    precoro.stage(customer("1"), customer("2")).run()
    precoro.stage(customer("1"), customer("2", is_inactive=True)).run()

    assert (status(precoro)["in_target"], status(precoro)["switched_off"]) == (1, 1)
    precoro.run()
    assert (status(precoro)["in_target"], status(precoro)["switched_off"]) == (1, 1)
    precoro.stage(customer("1"), customer("2")).run()
    assert (status(precoro)["in_target"], status(precoro)["switched_off"]) == (2, 0)


def test_a_run_that_only_planned_does_not_replace_the_last_delivery(precoro: WorkflowRunner) -> None:
    """Its time is shown beside it."""
    precoro.spec = option_tree()
    precoro.stage(customer("1"))
    precoro.plan("only planned")
    assert (status(precoro)["state"], status(precoro)["finished_at"]) == (None, None)
    precoro.run()
    delivered = status(precoro)

    precoro.plan("only planned again")

    after = status(precoro)
    assert after["state"] == "finished"
    assert {**after, "planned_at": None} == {**delivered, "planned_at": None}
    assert after["planned_at"] != delivered["planned_at"]
