"""SuiteProjects Pro as a target of the engine: reads, writes and their outcomes."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.delivery.target import TARGET_STATE_COLUMNS, Action, Target, Verdict, Write
from assets.suiteprojects.target import SuiteProjectsTarget
from resources.errors import CredentialsError, QuotaExhaustedError, RequestRejectedError
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.connect import open_suiteprojects

FIELDS = ["externalid", "name", "company", "active", "addr_city", "netsuite_customer_id__c"]


def create(key: str, **changed: str | None) -> Write:
    """Return the create of a customer."""
    values = {"externalid": key, "name": f"C{key}", "active": "1", "addr_city": "Wien", **changed}
    return Write("customers", key, Action.CREATE, None, values, frozenset(values))


def change(target_id: str | None, action: Action = Action.UPDATE, **changed: str | None) -> Write:
    """Return a change of some fields of an existing customer."""
    values: dict[str, str | None] = {"externalid": "1", "name": "C1", "active": "1", "addr_city": "Wien"}
    return Write("customers", "1", action, target_id, {**values, **changed}, frozenset(changed))


def test_it_implements_the_target_protocol(customers: SuiteProjectsTarget) -> None:
    """The engine uses nothing beyond the protocol."""
    target: Target = customers

    assert (target.name, target.system, target.batch_size) == ("suiteprojects.Customer", "suiteprojects", 500)


def test_fields_are_the_documented_and_the_accounts_own(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """Lengths come from the account's definitions only; computed fields cannot be mapped."""
    sandbox.suiteprojects.add_custom_field("customer", "region", title="Region", maxlength="0", picker="checkbox")

    fields = customers.fields()

    assert fields["netsuite_customer_id__c"].max_length == 20
    assert (fields["region__c"].kind, fields["region__c"].max_length) == ("boolean", None)
    assert (fields["active"].kind, fields["name"].max_length) == ("boolean", None)
    assert {"addr_city", "billing_addr_zip", "hierarchy_node_ids"} <= fields.keys()
    assert not {"id", "created", "updated", "picklist_label"} & fields.keys()


def test_read_returns_every_live_record_as_canonical_text(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """Ours and foreign ones; blanks are null, booleans 1 and 0, deleted records are omitted."""
    spp = sandbox.suiteprojects
    spp.add("Customer", externalid="1", name="A", addr_city="Wien", netsuite_customer_id__c="1")
    spp.add("Customer", name="foreign", active="0")
    spp.delete("Customer", spp.add("Customer", name="deleted"))

    target_state = customers.read(FIELDS)

    assert list(target_state.columns) == [*TARGET_STATE_COLUMNS, *FIELDS]
    assert target_state.drop("updated_at").rows() == [
        ("1", "1", True, None, "1", "A", None, "1", "Wien", "1"),
        ("2", None, False, None, None, "foreign", None, "0", None, None),
    ]
    assert target_state["updated_at"][0].startswith("2026-11-16 01:")


def test_an_empty_account_has_an_empty_target_state(customers: SuiteProjectsTarget) -> None:
    """It has all columns."""
    assert dict(customers.read(["name"]).schema) == {**TARGET_STATE_COLUMNS, "name": pl.String}


def test_a_missing_field_is_named(customers: SuiteProjectsTarget) -> None:
    """This happens before anything is read or sent; an apply and a real-time run end with its text, as a run does."""
    text = "suiteprojects.Customer has no field region__c; add what is missing to the account"
    for read in (lambda: customers.read(["region__c"]), lambda: customers.find(["1"], ["region__c"])):
        with pytest.raises(RequestRejectedError, match=text):
            read()


def test_a_create_is_confirmed_with_the_services_record(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """The batch is one request; ids and echoes correspond by position."""
    sent = customers.send([create("1"), create("2", company="B & <C>", addr_city=None)])

    assert [outcome.verdict for outcome in sent.outcomes] == [Verdict.CONFIRMED] * 2
    assert [outcome.target_id for outcome in sent.outcomes] == ["1", "2"]
    echo = sent.outcomes[1].echo or {}
    assert (echo["external_id"], echo["company"], echo["addr_city"], echo["is_active"]) == ("2", "B & <C>", None, "1")
    assert sandbox.suiteprojects.write_calls() == 1


def test_a_create_that_is_sent_again_creates_no_second_record(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """The lookup by external id turns it into an update."""
    first = customers.send([create("1")])

    again = customers.send([create("1", name="Later")])

    assert first.outcomes[0].target_id == again.outcomes[0].target_id
    assert [row["name"] for row in sandbox.suiteprojects.rows("Customer")] == ["Later"]


def test_an_update_sends_changed_fields_and_null_clears(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """Other fields keep what others wrote in the meantime."""
    key = sandbox.suiteprojects.add("Customer", externalid="1", name="A", company="Co", notes="foreign")

    sent = customers.send([change(str(key), company=None, name="B")])

    (row,) = sandbox.suiteprojects.rows("Customer")
    assert (row["name"], row["notes"], "company" in row) == ("B", "foreign", False)
    assert (sent.outcomes[0].echo or {})["company"] is None


def test_a_changed_address_part_is_sent_with_the_other_known_parts(
    sandbox: Sandbox, customers: SuiteProjectsTarget
) -> None:
    """A new zip must not erase the city in an account that replaces addresses as a whole."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, address_modify="replace")
    key = sandbox.suiteprojects.add("Customer", externalid="1", name="C1", addr_city="Wien")

    customers.send([change(str(key), addr_zip="1010")])

    (row,) = sandbox.suiteprojects.rows("Customer")
    assert (row["addr_city"], row["addr_zip"]) == ("Wien", "1010")


def test_records_are_deactivated_and_reactivated(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """They are never deleted, so that their history is kept."""
    key = str(sandbox.suiteprojects.add("Customer", externalid="1", name="A"))

    off = customers.send([change(key, Action.DEACTIVATE, active="0")])
    on = customers.send([change(key, Action.REACTIVATE, active="1")])

    assert [(each.outcomes[0].echo or {})["is_active"] for each in (off, on)] == ["0", "1"]


def test_adopting_writes_our_key_into_the_record(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """The next run matches it by the key."""
    key = sandbox.suiteprojects.add("Customer", name="C1", notes="foreign")

    customers.send([change(str(key), Action.ADOPT)])

    (row,) = sandbox.suiteprojects.rows("Customer")
    assert (row["externalid"], row["notes"]) == ("1", "foreign")


def test_one_rejected_record_does_not_stop_the_others(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """The reason is the service's own text, which is read once per code."""
    batch = [
        create("1"),
        create("2", currency="XXX"),
        create("3", currency="YYY"),
        create("4", name="a\x01b"),
        create("5"),
    ]

    sent = customers.send(batch)

    verdicts = [outcome.verdict.value for outcome in sent.outcomes]
    assert verdicts == ["confirmed", "rejected", "rejected", "rejected", "confirmed"]
    assert (sent.outcomes[1].code, sent.outcomes[1].reason) == (
        "837",
        "currency is not enabled in the account (status 837)",
    )
    assert sent.outcomes[3].code == "illegal_character"
    assert "U+0001" in sent.outcomes[3].reason
    assert sent.stop is None
    assert [row["externalid"] for row in sandbox.suiteprojects.rows("Customer")] == ["1", "5"]
    assert sandbox.suiteprojects.calls_made() == 3  # the batch, one text, the custom fields


@pytest.mark.parametrize(
    ("kind", "arrived"),
    [
        (FaultKind.LOST, 2),
        (FaultKind.CUT, 2),
        (FaultKind.TRUNCATED, 2),
        (FaultKind.APPLIED_500, 2),
        (FaultKind.HTML, 0),
        (FaultKind.EMPTY, 0),
        (FaultKind.NOT_APPLIED_500, 0),
    ],
)
def test_a_lost_response_is_unknown_and_the_record_exists_once_in_the_end(
    sandbox: Sandbox, customers: SuiteProjectsTarget, kind: FaultKind, arrived: int
) -> None:
    """The target is read before a resend, which creates no second record in any case."""
    batch = [create("1"), create("2")]
    sandbox.faults.plan("suiteprojects", Fault(kind, pattern="<Add"))

    sent = customers.send(batch)

    assert [outcome.verdict for outcome in sent.outcomes] == [Verdict.UNKNOWN] * 2
    assert sent.stop is None
    assert customers.find(["1", "2"], FIELDS).height == arrived
    again = customers.send(batch)
    assert [outcome.verdict for outcome in again.outcomes] == [Verdict.CONFIRMED] * 2
    assert [row["externalid"] for row in sandbox.suiteprojects.rows("Customer")] == ["1", "2"]


def test_find_reads_many_keys_in_few_requests(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """A key of two records returns both."""
    made = [{"externalid": str(n), "name": "A"} for n in range(250)]
    sandbox.suiteprojects.add_many("Customer", [*made, {"externalid": "7", "name": "second"}])
    customers.fields()
    calls = customers.calls

    found = customers.find([*(str(n) for n in range(250)), "missing"], ["name"])

    assert found.height == 251
    assert found.filter(found["external_id"] == "7")["name"].to_list() == ["A", "second"]
    assert customers.calls - calls == 3


@pytest.mark.parametrize("limits", [{"max_limit": 30}, {"max_commands": 20}, {"max_read_objects": 25}, {}])
def test_an_account_may_allow_less_in_one_request(
    sandbox: Sandbox, customers: SuiteProjectsTarget, limits: dict[str, int]
) -> None:
    """Rows of a page, commands, rows in all (§1.3, §1.7): lists, keys, hierarchies and their nodes are read anyway."""
    spp = sandbox.suiteprojects
    area = spp.add("Hierarchy", name="Area", type="customer")
    level = spp.add("HierarchyNode", name="L", hierarchyid=str(area), isalevel="1")
    node = {"hierarchyid": str(area), "isanode": "1", "levelid": str(level)}
    north = str(spp.add("HierarchyNode", name="North", **node))
    spp.add_many("Customer", [{"name": f"C{n}", "externalid": str(n)} for n in range(1, 41)])
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, **limits)

    listed = customers.read(["name", "hierarchy:Area"])
    writes = [
        Write("customers", row["external_id"], Action.UPDATE, row["target_id"], {"hierarchy:Area": north},
              frozenset({"hierarchy:Area"}))
        for row in listed.rows(named=True)
    ]  # fmt: skip
    sent = customers.send(writes)
    found = customers.find([str(n) for n in range(1, 41)], ["hierarchy:Area"])

    assert listed.height == found.height == 40
    assert {each.verdict for each in sent.outcomes} == {Verdict.CONFIRMED}
    assert {*found["hierarchy:Area"]} == {north}


def test_the_daily_quota_stops_the_run(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """Nothing was sent, and nothing else is."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, requests_per_day=0)

    sent = customers.send([create("1"), create("2")])

    assert [outcome.verdict for outcome in sent.outcomes] == [Verdict.NOT_SENT] * 2
    assert isinstance(sent.stop, QuotaExhaustedError)


def test_wrong_credentials_stop_the_run(sandbox: Sandbox) -> None:
    """A person must correct them."""
    with open_suiteprojects(sandbox=str(sandbox.folder), password="wrong") as client:
        sent = SuiteProjectsTarget(client).send([create("1")])

    assert sent.outcomes[0].verdict is Verdict.NOT_SENT
    assert isinstance(sent.stop, CredentialsError)


def test_a_batch_that_is_too_large_is_bisected(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """Status 555 rejects the request as a whole; a smaller one passes."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, max_objects=3)

    sent = customers.send([create(str(n)) for n in range(10)])

    assert {outcome.verdict for outcome in sent.outcomes} == {Verdict.CONFIRMED}
    assert [outcome.target_id for outcome in sent.outcomes] == [str(n) for n in range(1, 11)]


def test_a_short_echo_is_a_confirmation(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """It has the id, but no echo of the record."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, write_echo="id")

    (outcome,) = customers.send([create("1")]).outcomes

    assert (outcome.verdict, outcome.target_id, outcome.echo) == (Verdict.CONFIRMED, "1", None)


def test_a_key_that_is_not_unique_is_rejected(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """The record is never guessed."""
    sandbox.suiteprojects.add_many("Customer", [{"externalid": "1", "name": "A"}, {"externalid": "1", "name": "B"}])

    (outcome,) = customers.send([create("1")]).outcomes

    assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, "852")


def test_projects_are_created_below_their_customer(sandbox: Sandbox, projects: SuiteProjectsTarget) -> None:
    """The engine gives the parent's target id; dates have no time."""
    customer = str(sandbox.suiteprojects.add("Customer", name="A"))
    values: dict[str, str | None] = {"externalid": "P1", "name": "Rollout", "start_date": "2026-12-01"}
    write = Write("projects", "P1", Action.CREATE, None, values, frozenset(values), parent_id=customer)

    sent = projects.send([write])

    assert sent.outcomes[0].echo is not None
    assert (sent.outcomes[0].echo["parent_id"], sent.outcomes[0].echo["start_date"]) == (customer, "2026-12-01")
    target_state = projects.read(["name", "start_date"])
    assert target_state.select("parent_id", "start_date").rows() == [(customer, "2026-12-01")]


def test_lists_of_hierarchy_nodes_are_equal_in_any_order(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """A list of ids is a set, so another order is no change."""
    spp = sandbox.suiteprojects
    nodes = []
    for name in ("Department", "Region"):
        hierarchy = str(spp.add("Hierarchy", name=name, type="customer"))
        level = str(spp.add("HierarchyNode", hierarchyid=hierarchy, name="L", isalevel="1"))
        nodes.append(str(spp.add("HierarchyNode", hierarchyid=hierarchy, levelid=level, name="N", isanode="1")))
    spp.add("Customer", name="A", hierarchy_node_ids=",".join(reversed(nodes)))

    assert customers.read(["hierarchy_node_ids"])["hierarchy_node_ids"][0] == ",".join(nodes)


def test_an_unknown_outcome_names_no_record(sandbox: Sandbox, customers: SuiteProjectsTarget) -> None:
    """Reasons are logged, and names are personal data."""
    sandbox.faults.plan("suiteprojects", Fault(FaultKind.LOST))

    (outcome,) = customers.send([create("1", name="Rosa Secret")]).outcomes

    assert outcome.verdict is Verdict.UNKNOWN
    assert "Rosa" not in outcome.reason


LEGAL = st.text(
    st.one_of(
        st.sampled_from("\t\n\r &<>\"']]>\x85\u2028\ufffd"),
        st.characters(min_codepoint=0x20, max_codepoint=0x10FFFF, exclude_categories=["Cs"]).filter(
            lambda character: character not in "\ufffe\uffff"
        ),
    ),
    min_size=1,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=LEGAL)
def test_any_legal_text_survives_the_round_trip(customers: SuiteProjectsTarget, text: str) -> None:
    """Line ends, blanks, quotes and all of Unicode, through Add, its echo and Read."""
    (outcome,) = customers.send([create("1", company=text, addr_city=text)]).outcomes

    assert outcome.echo is not None
    assert (outcome.echo["company"], outcome.echo["addr_city"]) == (text, text)
    found = customers.find(["1"], ["company", "addr_city"])
    assert found.select("company", "addr_city").rows() == [(text, text)]
