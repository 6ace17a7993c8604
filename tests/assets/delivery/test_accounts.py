"""A warehouse belongs to one NetSuite account and, per workflow, to one account of the target."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.delivery.errors import SyncError
from assets.delivery.ledger.attempts import AttemptState, write_attempts
from assets.delivery.ledger.rebind import forget_account
from assets.delivery.realtime.sync_records import sync_records
from assets.delivery.schemas import SourceKey, keys_frame
from assets.precoro.target import OptionTarget
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.account import Account, account_of, describe, is_same
from resources.errors import ContractError
from resources.precoro.connect import open_precoro
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.connect import open_suiteprojects
from resources.warehouse.bindings import unbind
from tests.assets.delivery.builders import (
    OPTION_ROWS,
    SUITE_ROWS,
    customer,
    one_source,
    option_tree,
    project,
    suite_customers,
)  # fmt: skip
from tests.assets.delivery.ledger.ledger_rows import attempt
from tests.assets.delivery.run_workflow import WorkflowRunner
from tests.assets.delivery.send.test_apply import parents_of

ALL_OFF = {"inactive": "deactivate", "deleted": "deactivate", "out_of_scope": "deactivate"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (account_of("https://a.example.com/x"), account_of("https://A.example.com"), True),
        (account_of("https://a.example.com"), account_of("https://a.sandbox.example.com"), False),
        (
            account_of("http://127.0.0.1:4000", company="Acme"),
            account_of("http://127.0.0.1:5000", company="acme"),
            True,
        ),
        (account_of("https://a.example.com:1"), account_of("https://a.example.com:2"), False),
        (account_of("https://a.example.com", company="x"), account_of("https://a.example.com", company="y"), False),
        (account_of("https://a.example.com", company="x"), account_of("https://a.example.com"), True),
        (account_of("", account="1234567_SB1"), account_of("", account="1234567_sb1"), True),
        (account_of("", account="1234567_SB1"), account_of("", account="1234567"), False),
    ],
)
def test_an_account_is_the_same_unless_a_known_part_differs(one: Account, other: Account, same: bool) -> None:  # noqa: FBT001
    """A sign-in of another kind names less; that alone is no other account."""
    assert is_same(one, other) is is_same(other, one) is same


@given(st.dictionaries(st.sampled_from(["host", "company", "field"]), st.text(min_size=1)))
def test_every_account_is_itself(account: Account) -> None:
    """Whatever is known of it."""
    assert is_same(account, dict(account))
    assert all(value in describe(account) for value in account.values())


@pytest.fixture
def elsewhere(sandbox: Sandbox) -> Iterator[OptionTarget]:
    """The field of another Precoro company."""
    field = int(sandbox.precoro.company("uk")["item_custom_field_id"])
    with open_precoro(sandbox=sandbox.folder, connection="uk") as client:
        yield OptionTarget(client, field)


def test_another_precoro_field_is_refused(precoro: WorkflowRunner, elsewhere: OptionTarget, sandbox: Sandbox) -> None:
    """Before anything is read into the warehouse or sent; the error says what to do."""
    precoro.spec = one_source()
    precoro.stage(customer("1"), customer("2")).run()
    before, state = sandbox.precoro.options(), precoro.table("target_flow")
    precoro.target = elsewhere

    with pytest.raises(SyncError, match=r"flow: its records were sent to field 5144 at .*millpond rebind flow"):
        precoro.plan("elsewhere")

    assert sandbox.precoro.options() == before
    assert precoro.table("target_flow").equals(state)


def test_a_plan_for_one_account_is_not_sent_to_another(
    precoro: WorkflowRunner, elsewhere: OptionTarget, sandbox: Sandbox
) -> None:
    """The settings changed between plan and send."""
    precoro.spec = one_source()
    precoro.stage(customer("1")).run()
    planned = precoro.stage(customer("1", company_name="New")).plan("planned")
    before, own = sandbox.precoro.options(), precoro.target
    precoro.target = elsewhere

    for send in (lambda: precoro.send("sent"), lambda: precoro.apply(planned.plan_id, "applied")):
        with pytest.raises(SyncError, match="its records were sent to field 5144"):
            send()

    assert sandbox.precoro.options() == before
    precoro.target = own
    assert precoro.send("sent").writes == 1


def test_another_company_is_refused(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """The same address may serve several companies."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1")).run()
    with open_suiteprojects(sandbox=str(sandbox.folder), company="globex", user="u", password="p") as client:
        suiteprojects.target = SuiteProjectsTarget(client, "Customer")
        with pytest.raises(SyncError, match=r"company millpond at .* but the settings name company globex"):
            suiteprojects.plan("elsewhere")
        assert client.calls == 0


def test_planning_alone_binds_nothing_and_an_earlier_version_is_bound_at_its_next_delivery(
    precoro: WorkflowRunner, elsewhere: OptionTarget
) -> None:
    """Nothing belongs to an account before the first delivery."""
    precoro.spec, own = one_source(), precoro.target
    precoro.target = elsewhere
    precoro.stage(customer("1")).plan("planned")
    precoro.target = own
    precoro.run()
    with precoro.warehouse.writer() as con:
        con.execute("drop table sync_accounts")

    precoro.stage(customer("1", company_name="New")).run()

    assert precoro.table("sync_accounts").select("name", "account").rows()[0][0] == "flow"
    assert '"field": "5144"' in precoro.table("sync_accounts")["account"][0]


@pytest.mark.long
def test_two_workflows_on_one_field_leave_each_other_alone(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """One file per subsidiary: what the other file delivers is not out of scope but someone else's."""
    everything = [customer("1"), customer("2"), customer("3", subsidiary_id="3", subsidiary_ids=["3"])]
    specs = {
        f"of_{subsidiary}": one_source(select={"subsidiary": subsidiary}, lifecycle=ALL_OFF)
        for subsidiary in ("2", "3")
    }

    def run_both(*records: dict[str, object]) -> list[dict[str, tuple[str, str]]]:
        precoro.stage(*records)
        found = []
        for precoro.name, precoro.spec in specs.items():
            found.append(precoro.run())
        return found

    run_both(*everything)
    assert all(row["enable"] for row in sandbox.precoro.options() if row["external_id"])
    first, second = run_both(*everything)
    assert first["3"] == ("skipped", "other_workflow")
    assert {second["1"], second["2"]} == {("skipped", "other_workflow")}

    moved = [customer("1"), customer("2", subsidiary_id="3", subsidiary_ids=["3"]), everything[2]]
    run_both(*moved)
    first, second = run_both(*moved)
    assert (first["2"], second["2"][0]) == (("skipped", "other_workflow"), "unchanged")
    assert all(row["enable"] for row in sandbox.precoro.options() if row["external_id"])

    first, _ = run_both(customer("1", is_inactive=True), *moved[1:])
    assert first["1"][0] == "deactivate"


@pytest.mark.long
def test_a_record_that_is_held_back_stays_with_the_workflow_that_delivered_it(
    precoro: WorkflowRunner, sandbox: Sandbox
) -> None:
    """Neither reported nor deactivated by the file of another subsidiary."""
    specs = {
        "of_2": one_source(select={"subsidiary": "2"}, lifecycle=ALL_OFF),
        "of_3": one_source(select={"subsidiary": "3"}),
    }

    def run(name: str, long_name: str = "Company 3") -> dict[str, tuple[str, str]]:
        precoro.stage(customer("1"), customer("3", company_name=long_name, subsidiary_id="3", subsidiary_ids=["3"]))
        precoro.name, precoro.spec = name, specs[name]
        return precoro.run()

    run("of_2")
    assert run("of_3") == {"1": ("skipped", "other_workflow"), "3": ("create", "new")}  # `out_of_scope: report`
    assert run("of_3", "x" * 300)["3"] == ("quarantined", "too_long")
    with precoro.warehouse.writer() as con:
        con.execute("delete from sync_decisions where to_run is not null")  # as retention does after a time
    assert run("of_2", "x" * 300)["3"] == ("skipped", "other_workflow")
    assert all(row["enable"] for row in sandbox.precoro.options() if row["external_id"])


def test_the_values_of_a_record_that_another_workflow_created_are_left_alone(
    precoro: WorkflowRunner, sandbox: Sandbox
) -> None:
    """Otherwise two files that map a field differently would replace each other's value in every run."""
    differing = [dict(row) for row in OPTION_ROWS]
    differing[1]["from"] = "entity_number"
    precoro.stage(customer("1"), customer("2"))
    found = []
    for precoro.name, rows in [("first", OPTION_ROWS), ("second", differing)] * 2:
        precoro.spec = one_source(fields=rows)
        found.append(precoro.run())

    assert {action for action, _ in found[0].values()} == {"create"}
    assert {action for action, _ in found[2].values()} == {"unchanged"}
    assert set(found[1].values()) == set(found[3].values()) == {("skipped", "other_workflow")}
    assert [row["name"] for row in sandbox.precoro.options() if row["external_id"]] == ["Company 1", "Company 2"]

    precoro.name, precoro.spec = "first", one_source(select={"subsidiary": "9"}, lifecycle=ALL_OFF)
    precoro.run()  # the first file lets go
    precoro.name, precoro.spec = "second", one_source(fields=differing)
    assert {action for action, _ in precoro.run().values()} == {"reactivate"}


@pytest.mark.long
def test_a_workflow_that_cannot_deactivate_a_record_leaves_that_to_the_other(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """The second file adds a field to what the first one creates; each waited for the other, and it stayed active."""
    more = [{"field": "externalid", "from": "customer_id", "locked": True}, {"field": "notes", "from": "email"}]
    specs = {"first": suite_customers(), "more": one_source(target="suiteprojects.Customer", fields=more, create=False)}

    def run_both(**changes: object) -> list[tuple[str, str]]:
        suiteprojects.stage(customer("1", email="a@x.example", **changes))
        found = []
        for suiteprojects.name, suiteprojects.spec in specs.items():
            found.append(suiteprojects.run()["1"])
        return found

    assert run_both() == [("create", "new"), ("update", "source_changed")]

    run_both(is_inactive=True)
    last = run_both(is_inactive=True)

    assert last == [("deactivate", "inactive"), ("unchanged", "inactive")]
    (row,) = [row for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1"]
    assert row["active"] == "0"


@pytest.mark.long
def test_what_another_workflow_wrote_is_no_edit_when_a_record_returns(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """A prospect becomes a customer and a prospect again; a file per stage; drift is left as it is."""
    specs = {
        stage: suite_customers(
            {"field": "notes", "value": stage}, drift="report",
            select={"stages": dict.fromkeys(("customer", "prospect", "lead"), "skip") | {stage: "include"}},
        )
        for stage in ("prospect", "customer")
    }  # fmt: skip
    for stage in ("prospect", "customer", "prospect"):
        suiteprojects.stage(customer("1", stage=stage))
        for suiteprojects.name, suiteprojects.spec in specs.items():
            suiteprojects.run()
        (row,) = [row for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1"]
        assert row["notes"] == stage

    reasons = suiteprojects.warehouse.read("select reason from sync_decisions where workflow = 'prospect'")["reason"]
    assert not reasons.str.contains("edited in the target").any()


@pytest.mark.long
def test_a_move_by_another_workflow_is_no_edit_when_a_record_returns(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """NetSuite moved the project, which the other file delivered meanwhile, and moved it back; drift is left there."""
    sandbox.switches.set("precoro", PrecoroSwitches, parent_in_responses=True)
    rows = [{**OPTION_ROWS[0], "from": "project_id"}, {"field": "name", "from": "project_name"}, OPTION_ROWS[2]]
    below = {"source": "projects", "parent": {"customers": "customer_id"}, "fields": rows}
    specs = {
        letter: option_tree(
            drift="report",
            records=[
                {"source": "customers", "fields": list(OPTION_ROWS)},
                {**below, "select": {"where": f"entity_number = '{letter}'"}},
            ],
        )
        for letter in "AB"
    }
    for letter, parent in (("A", "1"), ("B", "2"), ("A", "1")):
        child = project("100", entity_number=letter, customer_id=parent)
        precoro.stage(customer("1"), customer("2"), below=(child,))
        for precoro.name, precoro.spec in specs.items():
            precoro.run()
        assert parents_of(sandbox)["100"] == parent


@pytest.mark.long
def test_what_a_workflow_wrote_is_in_no_other_account(precoro: WorkflowRunner) -> None:
    """Another system, or another account, may have a record of the same id for the same NetSuite record."""
    precoro.spec = one_source()
    precoro.stage(customer("1")).run()
    with precoro.warehouse.writer() as con:
        for name, target in [
            ("same", "precoro.Option"), ("system", "suiteprojects.Customer"), ("account", "precoro.Option"),
        ]:  # fmt: skip
            con.execute(
                "insert into sync_links select * replace (? as workflow, ? as target) from sync_links"
                " where workflow = 'flow'", [name, target],
            )  # fmt: skip
        con.execute(
            """insert into sync_accounts select * replace ('account' as name, '{"field": "1"}' as account)"""
            " from sync_accounts where name = 'flow'"
        )

    precoro.stage(customer("1", company_name="New")).run()

    hashes = dict(precoro.warehouse.read("select workflow, value_hashes ->> '$.name' from sync_links").rows())
    assert hashes["same"] == hashes["flow"] != hashes["system"] == hashes["account"]


def test_of_two_workflows_that_have_a_record_the_first_writes_it(precoro: WorkflowRunner, sandbox: Sandbox) -> None:
    """Both had the same values until one of the files changed."""
    differing = [dict(row) for row in OPTION_ROWS]
    differing[1]["from"] = "entity_number"
    precoro.name, precoro.spec = "first", one_source()
    precoro.stage(customer("1")).run()
    precoro.name = "later"
    assert precoro.run() == {"1": ("unchanged", "identical")}
    precoro.spec = one_source(fields=differing)
    assert precoro.run() == {"1": ("skipped", "other_workflow")}

    precoro.name, precoro.spec = "later", one_source()
    assert precoro.run() == {"1": ("unchanged", "identical")}
    precoro.name = "first"
    assert precoro.stage(customer("1", company_name="New")).run() == {"1": ("update", "source_changed")}
    assert [row["name"] for row in sandbox.precoro.options() if row["external_id"]] == ["New"]


def test_workflows_of_one_account_know_each_other_whatever_the_sign_in(suiteprojects: WorkflowRunner) -> None:
    """A token does not name the company; the file of the second workflow wants other values in the same records."""
    differing = [dict(row) for row in SUITE_ROWS]
    differing[2]["from"] = "entity_number"
    suiteprojects.name, suiteprojects.spec = "first", suite_customers()
    suiteprojects.stage(customer("1")).run()
    named = suiteprojects.table("sync_accounts")["account"][0]
    with suiteprojects.warehouse.writer() as con:
        con.execute("insert into sync_accounts select * replace ('second' as name) from sync_accounts")
        con.execute(
            """update sync_accounts set account = json_merge_patch(account, '{"company": null}') where name = 'first'"""
        )

    suiteprojects.name = "second"
    assert suiteprojects.run() == {"1": ("unchanged", "identical")}
    suiteprojects.spec = one_source(target="suiteprojects.Customer", fields=differing)
    assert suiteprojects.run() == {"1": ("skipped", "other_workflow")}

    # what the token did not name is recorded once a sign-in names it: another company is refused from then on
    suiteprojects.name, suiteprojects.spec = "first", suite_customers()
    suiteprojects.stage(customer("1", company_name="New")).run()
    assert dict(suiteprojects.table("sync_accounts").select("name", "account").rows())["first"] == named


def test_a_workflow_may_add_fields_to_the_records_of_another(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """It has the record's key and fields that the other does not map; what both map stays with the first."""
    notes = {"field": "notes", "from": "email"}
    suiteprojects.stage(customer("1", email="a@example.com"))
    for suiteprojects.name, suiteprojects.spec in (
        ("first", suite_customers()),
        ("second", one_source(target="suiteprojects.Customer", fields=[SUITE_ROWS[0], notes], create=False)),
    ):
        suiteprojects.run()
    customers = [row for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1"]
    assert [row["notes"] for row in customers] == ["a@example.com"]


def rebind(runner: WorkflowRunner) -> None:
    """Give the workflow another account; the target stays, and stands for one with records of the same ids."""
    with runner.warehouse.writer() as con:
        unbind(con, "flow")
        forget_account(con, runner.workflow, runner.context("rebound").now, "rebound")


@pytest.mark.long
def test_what_a_run_wrote_in_another_account_is_not_undone_in_this_one(
    suiteprojects: WorkflowRunner, sandbox: Sandbox
) -> None:
    """The record of the same id is another one there, and is inactive because someone switched it off."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(customer("1"), customer("2")).run()
    suiteprojects.stage(customer("1", is_inactive=True), customer("2")).run()
    rebind(suiteprojects)
    (key,) = [int(row["id"]) for row in sandbox.suiteprojects.rows("Customer") if row.get("externalid") == "1"]
    sandbox.suiteprojects.modify("Customer", key, externalid="", name="Other", company="Other")

    with pytest.raises(SyncError, match="cannot be undone: it wrote to the account that the workflow had before"):
        suiteprojects.undo("run 1")
    suiteprojects.stage(customer("1"), customer("2", company_name="New")).run()
    assert suiteprojects.undo("run 3").plan.filter(action="update")["source_id"].to_list() == ["2"]


def test_in_another_account_nothing_is_proven(suiteprojects: WorkflowRunner, sandbox: Sandbox) -> None:
    """It may have other limits: real-time updates wait for a full run, which begins with a canary."""
    suiteprojects.spec = suite_customers()
    suiteprojects.stage(*(customer(str(number)) for number in range(1, 8))).run()
    rebind(suiteprojects)
    sandbox.switches.set(
        "suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.company": 4}, long_values="cut"
    )
    suiteprojects.stage(*(customer(str(number), company_name=f"New {number}") for number in range(1, 8)))

    in_real_time = sync_records(suiteprojects.context("in real time"), keys_frame([SourceKey("customers", "1")]))
    assert in_real_time.reason.startswith("no full run with this version of the workflow file has finished")
    suiteprojects.plan("first")
    assert isinstance(suiteprojects.send("first").stop, ContractError)


@pytest.mark.long
def test_after_a_rebind_the_old_links_mean_nothing(
    precoro: WorkflowRunner, elsewhere: OptionTarget, sandbox: Sandbox
) -> None:
    """Records are created in the new account; in the old one everything stays."""
    precoro.spec = one_source()
    precoro.stage(customer("1"), customer("2")).run()
    before = sandbox.precoro.options()
    with precoro.warehouse.writer() as con:
        write_attempts(con, [attempt(AttemptState.INTENT, source_id="1", attempt_id="open")])
        write_attempts(con, [attempt(AttemptState.REJECTED, source_id="2", attempt_id="refused")])
        unbind(con, "flow")
        assert forget_account(con, precoro.workflow, precoro.context("rebound").now, "rebound") == 2
    precoro.target = elsewhere

    assert {action for action, _ in precoro.run().values()} == {"create"}
    assert {action for action, _ in precoro.run().values()} == {"unchanged"}
    assert sandbox.precoro.options() == before
