"""Precoro options as a target of the engine: reads, writes and their outcomes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from assets.delivery.plan.existence_check import read_with_unlisted
from assets.delivery.schemas import PARENT
from assets.delivery.target import KEYED, TARGET_STATE_COLUMNS, UNFINISHED, Action, Target, Verdict, Write
from assets.precoro.option_state import OptionState
from assets.precoro.target import UNUSUAL_IN_A_ROW, OptionTarget
from resources.errors import (
    CredentialsError,
    IntegrationError,
    QuotaExhaustedError,
    RequestRejectedError,
    TransientError,
)
from resources.precoro.client import PrecoroClient
from resources.precoro.connect import open_precoro
from resources.precoro.records import Option
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox

FIELDS = ["name", "code", "enable", "externalId"]


def write(source_id: str, action: Action = Action.CREATE, **changes: Any) -> Write:
    """Return one plausible write."""
    values = {"name": f"Customer {source_id}", "enable": "1", "externalId": source_id} | changes.pop("values", {})
    plain: dict[str, Any] = {
        "source": "customers",
        "source_id": source_id,
        "action": action,
        "target_id": None,
        "values": values,
        "changed": frozenset(values),
    }
    return Write(**(plain | changes))


def switch(sandbox: Sandbox, **values: Any) -> None:
    """Change switches of the Precoro sandbox."""
    sandbox.switches.set("precoro", PrecoroSwitches, **values)


def ours(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Return the options with our key, by key; a duplicate key fails."""
    rows = [row for row in sandbox.precoro.options() if row["external_id"]]
    assert len({row["external_id"] for row in rows}) == len(rows)
    return {row["external_id"]: row for row in rows}


def test_it_implements_the_target_protocol(target: OptionTarget) -> None:
    """The type checker compares the signatures; the engine uses these names."""
    typed: Target = target

    assert (typed.name, typed.key_field, typed.active_field, typed.batch_size) == (
        "precoro.Option",
        "externalId",
        "enable",
        50,
    )
    assert typed.fields()["name"].required
    assert typed.fields()["name"].max_length == 256


@pytest.mark.parametrize("field", [5144, "5144", "Customers/Projects"])
def test_the_field_is_found_by_id_or_exact_name(precoro: PrecoroClient, field: int | str) -> None:
    """F02."""
    assert OptionTarget(precoro, field).field.field_id == 5144


@pytest.mark.parametrize("field", ["customers/projects", "Nothing", "Off", "Note", "Twice"])
def test_a_wrong_field_fails_before_any_write(precoro: PrecoroClient, sandbox: Sandbox, field: str) -> None:
    """F02: missing, disabled, not a drop-down, or two with the same name."""
    sandbox.precoro.add_field("Off", enable=False)
    sandbox.precoro.add_field("Note", type_string="Text")
    sandbox.precoro.add_field("Twice")
    sandbox.precoro.add_field("Twice")
    target = OptionTarget(precoro, field)

    with pytest.raises(RequestRejectedError):
        target.read(FIELDS)
    sent = target.send([write("1")])

    assert isinstance(sent.stop, RequestRejectedError)
    assert sent.outcomes[0].verdict is Verdict.NOT_SENT
    assert sandbox.precoro.write_calls() == 0


def test_read_returns_every_option_as_canonical_text(target: OptionTarget, sandbox: Sandbox) -> None:
    """Foreign options are included, with external_id null, so that they can be matched and left alone."""
    option_id = sandbox.precoro.add_option("Acme", external_id="7", code="", enable=False)

    target_state = target.read(FIELDS)

    assert dict(target_state.schema) == TARGET_STATE_COLUMNS | dict.fromkeys(FIELDS, pl.String)
    assert target_state.height == len(sandbox.precoro.options())
    assert target_state.filter(pl.col("external_id").is_null()).height == 3
    assert target_state.filter(pl.col("external_id") == "7").to_dicts() == [
        {
            "target_id": str(option_id),
            "external_id": "7",
            "is_active": False,
            "parent_id": None,
            "updated_at": None,
            "name": "Acme",
            "code": None,
            "enable": "0",
            "externalId": "7",
        }
    ]


def test_a_missing_field_is_named(target: OptionTarget) -> None:
    """This is a typo in a workflow."""
    with pytest.raises(ValueError, match="colour"):
        target.read(["colour"])


def test_a_listing_is_reused_for_a_minute_but_not_after_a_write(target: OptionTarget, sandbox: Sandbox) -> None:
    """F38: a second read within a minute costs no call; a write invalidates the listing."""
    target.read(FIELDS)
    calls = target.calls
    target.read(["name"])
    cached = target.calls
    target.send([write("1")])
    after = target.read(FIELDS)

    assert cached == calls
    assert "1" in after["external_id"].to_list()
    assert sandbox.precoro.rate_limited_calls() == 0


def test_a_tree_is_created_level_by_level(target: OptionTarget, sandbox: Sandbox) -> None:
    """F05-F07: customer, project, sub-project; the echo contains the parent that was sent."""
    customer = target.send([write("1")]).outcomes[0]
    project = target.send([write("2", parent_id=customer.target_id)]).outcomes[0]
    phase = target.send([write("3", parent_id=project.target_id, values={"code": "P-3"})]).outcomes[0]

    assert [ours(sandbox)[key]["level"] for key in "123"] == [1, 2, 3]
    assert phase.echo
    assert phase.echo["parent_id"] == project.target_id
    assert (phase.echo["externalId"], phase.echo["enable"], phase.echo["code"]) == ("3", "1", "P-3")
    assert "parent" not in sandbox.precoro.call_log()[-3]["body"]
    assert sandbox.precoro.write_calls() == 3


@pytest.mark.parametrize(("key", "was_listed"), [("8", True), (None, True), ("8", False)])
def test_a_create_takes_over_no_option_that_existed_before(
    target: OptionTarget,
    sandbox: Sandbox,
    key: str | None,
    was_listed: bool,  # noqa: FBT001
) -> None:
    """A service may answer a second create of a name with the first option; that one keeps its key."""
    switch(sandbox, same_name="existing")
    if not was_listed:
        target.read(FIELDS)
    existing = sandbox.precoro.add_option("Customer 1", external_id=key)
    if was_listed:
        target.read(FIELDS)

    taken, again = target.send([write("1"), write("2")]).outcomes

    assert (taken.verdict, taken.code, taken.target_id) == (Verdict.REJECTED, "already_exists", None)
    assert str(existing) in taken.reason
    assert again.verdict is Verdict.CONFIRMED
    assert [row["external_id"] for row in sandbox.precoro.options() if row["option_id"] == existing] == [key]
    repeated = target.send([write("2")]).outcomes[0]
    assert (repeated.verdict, repeated.target_id) == (Verdict.CONFIRMED, again.target_id)


def test_a_response_with_the_key_of_another_record_is_not_a_new_option() -> None:
    """Also if the option was made after the listing: no listing had it."""
    for key, is_ours in ("1", True), (None, True), ("8", False):
        answer = Option(4711, "Customer 1", None, enable=True, external_id=key, level=1)
        assert (OptionState().existing(answer, "1", write("1")) == "") is is_ours


@pytest.mark.parametrize(("key", "is_ours"), [("8", False), ("1", True), (None, True)])
def test_an_option_of_another_record_that_got_our_key_is_not_taken_over(
    key: str | None,
    is_ours: bool,  # noqa: FBT001
) -> None:
    """A service may give the first option of a name the values of a second create, its key among them."""
    state = OptionState()
    listed = Option(4711, "Customer 1", None, enable=True, external_id=key, level=1)
    state.record_listing(datetime(2026, 11, 16, tzinfo=UTC), [listed])
    answer = replace(listed, external_id="1")

    assert (state.existing(answer, "1", write("1")) == "") is is_ours
    assert state.existing(answer, "1", write("1", are_others=lambda _: True))


def test_a_response_with_a_record_that_only_the_ledger_knows_is_not_a_new_option(
    target: OptionTarget, sandbox: Sandbox
) -> None:
    """The option of a record that was retired is not listed, and the answer to the create is its id alone."""
    switch(sandbox, same_name="existing", listed_disabled="omit", write_answer="id")
    retired = str(sandbox.precoro.add_option("Customer 1", external_id="8", enable=False))

    (outcome,) = target.send([write("1", are_others=lambda target_id: target_id == retired)]).outcomes

    assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, "already_exists")
    assert [row["external_id"] for row in sandbox.precoro.options() if row["name"] == "Customer 1"] == ["8"]


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_options_that_cannot_be_looked_up_stop_no_other(target: OptionTarget, sandbox: Sandbox, broken: int) -> None:
    """It is not known if they exist; an error of each of them is the service's."""
    ids = [str(sandbox.precoro.add_option(f"Customer {number}", enable=False)) for number in range(5)]
    pattern = "|".join(ids[:broken])
    sandbox.faults.plan("precoro", Fault(FaultKind.HTML, method="PATCH", pattern=pattern, times=1000))
    keys = {target_id: str(number) for number, target_id in enumerate(ids)}

    if broken == UNUSUAL_IN_A_ROW:
        with pytest.raises(TransientError):
            target.read_unlisted(keys, FIELDS)
        return
    found, unread = target.read_unlisted(keys, FIELDS)

    assert set(unread) == set(ids[:broken])
    assert found["target_id"].to_list() == ids[broken:]


def test_a_page_that_says_not_found_deletes_no_option(target: OptionTarget, sandbox: Sandbox) -> None:
    """It may be that of a proxy, and an option that counts as deleted is created again; the API's own 404 says so."""
    hidden, gone = (sandbox.precoro.add_option(f"Customer {number}", enable=False) for number in range(2))
    sandbox.precoro.remove_option(gone)
    sandbox.faults.plan("precoro", Fault(FaultKind.PAGE_404, method="PATCH", pattern=str(hidden)))

    found, unread = target.read_unlisted({str(hidden): "1", str(gone): "2"}, FIELDS)

    assert found.is_empty()
    assert set(unread) == {str(hidden)}


def test_known_options_that_a_listing_omits_are_read_as_well(target: OptionTarget, sandbox: Sandbox) -> None:
    """As an undo and an applied plan need them; without a key to ask by, it is not known whether one exists."""
    switch(sandbox, listed_disabled="omit")
    shown, disabled, unknown, gone = (
        str(sandbox.precoro.add_option(name, external_id=name, enable=name == "1")) for name in "1234"
    )
    sandbox.precoro.remove_option(int(gone))

    found, unread = read_with_unlisted(target, {shown: "1", disabled: "2", unknown: None, gone: "4"}, FIELDS)

    assert [each for each in found["target_id"].to_list() if each in {shown, disabled, gone}] == [shown, disabled]
    assert unread == {unknown}


def test_an_update_sends_the_whole_record(target: OptionTarget, sandbox: Sandbox) -> None:
    """§5: a service that replaces records would otherwise disable the option and move it to the top level."""
    switch(sandbox, strict_put=True)
    parent = target.send([write("1")]).outcomes[0].target_id
    child = target.send([write("2", parent_id=parent, values={"code": "C"})]).outcomes[0].target_id
    before = ours(sandbox)["2"]

    sent = target.send(
        [
            write(
                "2",
                Action.UPDATE,
                target_id=child,
                values={"name": "Renamed", "code": "C"},
                changed=frozenset({"name"}),
                parent_id=parent,
            )
        ]
    )

    assert sent.outcomes[0].verdict is Verdict.CONFIRMED
    assert ours(sandbox)["2"] | {"updated_at": ""} == before | {"name": "Renamed", "updated_at": ""}


def test_unmapped_values_are_kept(target: OptionTarget, sandbox: Sandbox) -> None:
    """A write contains mapped fields only; an unmapped code, enable or parent must not be reset."""
    switch(sandbox, strict_put=True, parent_in_responses=True)
    top = sandbox.precoro.add_option("Top")
    option_id = sandbox.precoro.add_option("Acme", external_id="7", code="C", enable=False, parent_id=top)
    target.read(FIELDS)

    target.send([write("7", Action.UPDATE, target_id=str(option_id), values={"name": "New", "enable": None})])

    kept = ours(sandbox)["7"]
    assert (kept["name"], kept["code"], kept["enable"], kept["parent_id"]) == ("New", "C", False, top)


def test_an_option_moves_below_a_parent_and_back_to_the_top_level(target: OptionTarget, sandbox: Sandbox) -> None:
    """A known parent is always sent; an empty one only for a move to the top level."""
    first, second = (outcome.target_id for outcome in target.send([write("1"), write("2")]).outcomes)
    child = target.send([write("3", parent_id=first)]).outcomes[0].target_id

    target.send([write("3", Action.UPDATE, target_id=child, parent_id=second, changed=frozenset({PARENT}))])
    moved = ours(sandbox)["3"]["parent_id"]
    target.send([write("3", Action.UPDATE, target_id=child, changed=frozenset({PARENT}))])
    target.send([write("3", Action.UPDATE, target_id=child, changed=frozenset({"name"}))])

    assert str(moved) == second
    assert ours(sandbox)["3"]["level"] == 1


def test_options_are_disabled_and_enabled(target: OptionTarget, sandbox: Sandbox) -> None:
    """F20, F21: the option stays, only `enable` changes."""
    option_id = target.send([write("1")]).outcomes[0].target_id

    target.send([write("1", Action.DEACTIVATE, target_id=option_id)])
    disabled = ours(sandbox)["1"]["enable"]
    target.send([write("1", Action.REACTIVATE, target_id=option_id)])

    assert (disabled, ours(sandbox)["1"]["enable"]) == (False, True)


def test_an_adopted_option_gets_our_key(target: OptionTarget, sandbox: Sandbox) -> None:
    """A manually created option becomes ours without a second one."""
    option_id = sandbox.precoro.add_option("Customer 1")

    sent = target.send([write("1", Action.ADOPT, target_id=str(option_id))])

    assert sent.outcomes[0].target_id == str(option_id)
    assert ours(sandbox)["1"]["option_id"] == option_id


@pytest.mark.parametrize("action", [Action.CREATE, Action.ADOPT])
def test_an_ignored_external_id_is_repaired(target: OptionTarget, sandbox: Sandbox, action: Action) -> None:
    """§7.2: the response contains the external id if the service stored it."""
    switch(sandbox, post_external_id="ignore")
    option_id = str(sandbox.precoro.add_option("Customer 1")) if action is Action.ADOPT else None

    outcome = target.send([write("1", action, target_id=option_id)]).outcomes[0]

    assert outcome.echo
    assert outcome.echo["external_id"] == "1"
    assert len(ours(sandbox)) == 1


def test_one_rejected_record_does_not_stop_the_others(target: OptionTarget, sandbox: Sandbox) -> None:
    """F36: the reason has the service's own text, but not the record's name."""
    switch(sandbox, name_limit=255)
    long = "Very Secret " + "x" * 244

    sent = target.send([write("1"), write("2", values={"name": long}), write("3", parent_id="999999"), write("4")])

    verdicts = [outcome.verdict for outcome in sent.outcomes]
    assert verdicts == [Verdict.CONFIRMED, Verdict.REJECTED, Verdict.REJECTED, Verdict.CONFIRMED]
    assert "too long" in sent.outcomes[1].reason
    assert "Secret" not in sent.outcomes[1].reason
    assert "Parent option not found" in sent.outcomes[2].reason
    assert sent.stop is None


def test_a_deleted_option_is_a_rejected_record(target: OptionTarget) -> None:
    """It was deleted manually after the last read: 404, and the next record is sent."""
    sent = target.send([write("1", Action.UPDATE, target_id="999999"), write("2")])

    assert [(outcome.verdict, outcome.code) for outcome in sent.outcomes] == [
        (Verdict.REJECTED, "404"),
        (Verdict.CONFIRMED, KEYED),
    ]


def test_known_limits_are_enforced_without_a_call(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """256 characters, not bytes, and five levels."""
    target = OptionTarget(precoro, 5144)
    parent = target.send([write("1", values={"name": "ü" * 256})]).outcomes[0].target_id
    for source_id in ("2", "3", "4", "5"):
        parent = target.send([write(source_id, parent_id=parent)]).outcomes[0].target_id
    before = sandbox.precoro.calls_made()

    rejected = target.send(
        [
            write("6", values={"name": "ü" * 257}),
            write("7", parent_id=parent),
            write("8", values={"name": None}),
        ]
    )

    assert [outcome.code for outcome in rejected.outcomes] == [
        "name_too_long",
        "too_deep",
        "name_missing",
    ]
    assert {outcome.verdict for outcome in rejected.outcomes} == {Verdict.REJECTED}
    assert sandbox.precoro.calls_made() == before


@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.APPLIED_500, FaultKind.CUT, FaultKind.TRUNCATED])
@pytest.mark.parametrize("mode", ["accept", "ignore"])
def test_a_lost_create_ends_in_exactly_one_option(
    target: OptionTarget, sandbox: Sandbox, kind: FaultKind, mode: str
) -> None:
    """F40, I2: it is looked up before a resend, even if the service left it without its external id."""
    switch(sandbox, post_external_id=mode)
    target.read(FIELDS)
    sandbox.faults.plan("precoro", Fault(kind, method="POST", pattern="Customer\\+1"))

    sent = target.send([write("1"), write("2")])
    found = target.find(["1"], FIELDS)
    if found.is_empty():
        ((option_id,),) = target.find_unkeyed([write("1")]).alike
        target.send([write("1", Action.UPDATE, target_id=option_id)])

    assert [outcome.verdict for outcome in sent.outcomes] == [Verdict.UNKNOWN, Verdict.CONFIRMED]
    assert sent.stop is None
    assert set(ours(sandbox)) == {"1", "2"}
    assert len(sandbox.precoro.options()) == 3 + 2
    assert sandbox.precoro.rate_limited_calls() == 0


def test_a_create_that_never_arrived_is_not_found(target: OptionTarget, sandbox: Sandbox) -> None:
    """An HTTP 500 before the create looks the same; after a resend there is one option."""
    sandbox.faults.plan("precoro", Fault(FaultKind.NOT_APPLIED_500, method="POST"))

    lost = target.send([write("1")]).outcomes[0]
    missing = target.find(["1"], FIELDS)
    target.send([write("1")])

    assert lost.verdict is Verdict.UNKNOWN
    assert missing.is_empty()
    assert list(ours(sandbox)) == ["1"]


def test_every_option_that_a_lost_create_may_have_made_is_a_candidate(target: OptionTarget, sandbox: Sandbox) -> None:
    """I4: the name and the level decide; the ledger knows which options existed before, the target does not."""
    switch(sandbox, post_external_id="ignore")
    before = sandbox.precoro.add_option("Customer 1")
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, method="POST"))
    target.send([write("1")])
    after = sandbox.precoro.add_option("customer  1")
    sandbox.precoro.add_option("Customer 1", parent_id=before)

    (found,) = target.find_unkeyed([write("1")]).alike

    assert len(found) == 3
    assert {str(before), str(after)} < set(found)


def test_repeated_lost_responses_stop_the_run(target: OptionTarget, sandbox: Sandbox) -> None:
    """The remaining writes are not sent."""
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, method="POST", times=100))

    sent = target.send([write(str(number)) for number in range(10)])

    verdicts = [outcome.verdict for outcome in sent.outcomes]
    assert verdicts == [Verdict.UNKNOWN] * UNUSUAL_IN_A_ROW + [Verdict.NOT_SENT] * (10 - UNUSUAL_IN_A_ROW)
    assert isinstance(sent.stop, TransientError)


def test_an_update_that_is_lost_repeatedly_is_unknown(target: OptionTarget, sandbox: Sandbox) -> None:
    """It was retried, because a PUT is safe to repeat. The service may fail on this option alone, or on each one."""
    option_id = target.send([write("1")]).outcomes[0].target_id
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, method="PUT", times=100))
    update = write("1", Action.UPDATE, target_id=option_id)

    alone = target.send([update, write("2")])
    sent = target.send([update] * UNUSUAL_IN_A_ROW + [write("3")])

    assert [outcome.verdict for outcome in alone.outcomes] == [Verdict.UNKNOWN, Verdict.CONFIRMED]
    assert alone.stop is None
    assert [outcome.verdict for outcome in sent.outcomes] == [Verdict.UNKNOWN] * UNUSUAL_IN_A_ROW + [Verdict.NOT_SENT]
    assert isinstance(sent.stop, TransientError)


@pytest.mark.parametrize("kind", [FaultKind.NOT_APPLIED_500, FaultKind.HTML])
def test_a_second_call_on_which_the_service_fails_stops_no_other(
    precoro: PrecoroClient, sandbox: Sandbox, kind: FaultKind
) -> None:
    """The option stays unfinished; those after it are restricted, now and when unfinished ones are completed."""
    target = OptionTarget(precoro, 5144, legal_entity_ids=("27377",))
    first = target.send([write("1")]).outcomes[0].target_id
    fault = Fault(kind, method="PATCH", pattern=f"option_id={first}(&|$)", times=100)
    sandbox.faults.plan("precoro", fault)
    others = [write("2"), write("3")]

    sent = target.send(others)
    ids = [str(first), *(str(outcome.target_id) for outcome in sent.outcomes)]
    finished = target.finish_creates(ids)

    assert [outcome.code for outcome in finished.outcomes] == [UNFINISHED, "", ""]
    assert finished.stop is None


def test_the_daily_quota_ends_the_run_as_partial(target: OptionTarget, sandbox: Sandbox) -> None:
    """F39: written options stay, the others are not sent, and the next day continues without duplicates."""
    target.read(FIELDS)
    switch(sandbox, calls_per_day=5)
    batch = [write(str(number)) for number in range(6)]

    sent = target.send(batch)
    sandbox.clock.sleep(86400)
    rest = target.send([write for write, outcome in zip(batch, sent.outcomes, strict=True) if not outcome.target_id])

    assert [outcome.verdict for outcome in sent.outcomes] == [Verdict.CONFIRMED] * 3 + [Verdict.NOT_SENT] * 3
    assert isinstance(sent.stop, QuotaExhaustedError)
    assert {outcome.verdict for outcome in rest.outcomes} == {Verdict.CONFIRMED}
    assert len(ours(sandbox)) == 6


def test_a_stop_between_create_and_patch_keeps_the_new_option(target: OptionTarget, sandbox: Sandbox) -> None:
    """The option must be confirmed with its id, or the next run would create a second one."""
    switch(sandbox, post_external_id="ignore", calls_per_day=3)
    target.read(FIELDS)

    sent = target.send([write("1"), write("2")])

    created = sent.outcomes[0]
    assert created.verdict is Verdict.CONFIRMED
    assert created.echo
    assert created.echo["external_id"] is None
    assert "is written, but" in created.reason
    assert sent.outcomes[1].verdict is Verdict.NOT_SENT
    assert isinstance(sent.stop, QuotaExhaustedError)


def test_rejected_credentials_stop_the_run(sandbox: Sandbox) -> None:
    """No record is rejected for a wrong token."""
    with open_precoro(sandbox=sandbox.folder, token="wrong") as client:
        sent = OptionTarget(client, 5144).send([write("1"), write("2")])

    assert isinstance(sent.stop, CredentialsError)
    assert {outcome.verdict for outcome in sent.outcomes} == {Verdict.NOT_SENT}


def test_new_options_are_restricted_to_legal_entities(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """F42: by a setting only; an update does not repeat it."""
    target = OptionTarget(precoro, 5144, legal_entity_ids=["27377"])

    created = target.send([write("1")]).outcomes[0]
    target.send([write("1", Action.UPDATE, target_id=created.target_id)])

    assert [row["option_id"] for row in sandbox.precoro.dependencies()] == [int(created.target_id or 0)]
    assert sum("depend_add" in row["path"] for row in sandbox.precoro.call_log()) == 1


def test_an_invalid_listing_is_an_error(target: OptionTarget, sandbox: Sandbox) -> None:
    """An empty frame would mean that every option was deleted manually."""
    sandbox.faults.plan("precoro", Fault(FaultKind.EMPTY, method="GET", pattern="options", times=10))

    with pytest.raises(IntegrationError):
        target.read(FIELDS)


def test_the_last_call_of_the_day_creates_no_unrestricted_option(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """An option and its restriction take two calls; with one call left the option is deferred."""
    target = OptionTarget(precoro, 5144, legal_entity_ids=["7"])
    target.read(FIELDS)
    for number in range(3000 - sandbox.precoro.calls_made() - 3):
        precoro.set_external_id(5144, 53001, str(number))

    sent = target.send([write("1"), write("2")])

    assert [outcome.verdict for outcome in sent.outcomes] == [Verdict.CONFIRMED, Verdict.NOT_SENT]
    assert isinstance(sent.stop, QuotaExhaustedError)
    assert sent.stop.until is not None  # when the oldest two calls of the day are a day old
    assert timedelta(hours=23) > sent.stop.until - sandbox.clock.now() > timedelta(0)
    assert len(sandbox.precoro.dependencies()) == 1
