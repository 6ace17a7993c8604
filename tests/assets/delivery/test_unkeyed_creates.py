"""A create may leave a record without our key while its process dies: it is found again, or a person is asked.

Precoro may set the external id of an option only by a second call (`post_external_id`). A kill or a lost response
between the two calls leaves an option that only its name and its place show to be ours.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from assets.delivery.imports.manual_links import ManualLink, save_manual_link
from assets.delivery.ledger.unkeyed import LostCreate, Possible, match_unkeyed
from assets.delivery.target import Action, Write
from assets.precoro.target import OptionTarget
from resources import failpoints
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from tests.assets.delivery.builders import customer, project
from tests.assets.delivery.killed_runs import opened
from tests.assets.delivery.run_workflow import WorkflowRunner

RECORDS = (customer("1"), customer("2"))
BELOW = (project("100", project_name="Phase"), project("200", customer_id="2", project_name="Phase"))
OURS = {"1": ("Company 1", None), "2": ("Company 2", None), "100": ("Phase", "1"), "200": ("Phase", "2")}
LONG = pytest.mark.long
OMIT = pytest.param("omit", marks=LONG)
KINDS = [FaultKind.LOST, *(pytest.param(kind, marks=LONG) for kind in (FaultKind.CUT, FaultKind.APPLIED_500))]
PATCH_OF_CUSTOMER, PATCH_OF_PROJECT = 1, 6  # requests before: POST and PATCH of each option, and the canary's listing


def switch(sandbox: Sandbox, **values: Any) -> None:
    """Let a create ignore the external id, and set other switches."""
    sandbox.switches.set("precoro", PrecoroSwitches, **({"post_external_id": "ignore"} | values))


def ours(sandbox: Sandbox) -> dict[str, tuple[str, str | None]]:
    """Return name and parent's key of our options by key.

    Raises:
        AssertionError: A key exists twice.
    """
    options = sandbox.precoro.options()
    keys = {option["option_id"]: option["external_id"] for option in options}
    keyed = [option for option in options if option["external_id"]]
    assert max(Counter(option["external_id"] for option in keyed).values(), default=0) <= 1
    return {option["external_id"]: (option["name"], keys.get(option["parent_id"])) for option in keyed}


def unkeyed(sandbox: Sandbox) -> list[str]:
    """Return the names of the options without a key that the sandbox did not have at first."""
    return [option["name"] for option in sandbox.precoro.options()[3:] if not option["external_id"]]


def killed(folder: Path, skip: int, *below: Mapping[str, Any], run_id: str = "killed") -> None:
    """Let a run end at a request of its delivery, and leave the ledger as a kill does: without any outcome."""
    with opened(folder, "precoro") as runner:
        runner.stage(*RECORDS, below=below or BELOW).plan(run_id)
        failpoints.arm("request_begins", skip=skip, strike=_interrupt)
        with pytest.raises(KeyboardInterrupt):
            runner.send(run_id)
        with runner.warehouse.writer() as con:
            con.execute(
                "delete from sync_attempts where run_id = ? and state <> 'intent'"
                " and attempt_id in (select attempt_id from sync_attempts where run_id = ? and state = 'intent')",
                [run_id, run_id],
            )


def _interrupt() -> None:
    raise KeyboardInterrupt


def states(runner: WorkflowRunner, source_id: str) -> list[str]:
    """Return the states of a record's attempts."""
    return [state for _, _, state in runner.attempts(source_id)]


@pytest.mark.parametrize("skip", [pytest.param(PATCH_OF_CUSTOMER, marks=LONG), PATCH_OF_PROJECT])
@pytest.mark.parametrize("parents", [False, True])
@pytest.mark.parametrize("disabled", ["include", OMIT])
def test_an_option_without_its_key_is_found_by_the_next_process(
    sandbox: Sandbox, tmp_path: Path, skip: int, *, parents: bool, disabled: str
) -> None:
    """Killed between POST and PATCH: the option gets its key, and none exists twice."""
    switch(sandbox, parent_in_responses=parents, listed_disabled=disabled)
    killed(tmp_path, skip)
    assert len(unkeyed(sandbox)) == 1

    with opened(tmp_path, "precoro") as runner:
        runner.run()
        record = "1" if skip == PATCH_OF_CUSTOMER else "100"
        assert states(runner, record)[:2] == ["intent", "found"]
    with opened(tmp_path, "precoro") as runner:
        runner.runs = iter([7])
        assert {action for action, _ in runner.run().values()} == {"unchanged"}

    assert ours(sandbox) == OURS
    assert unkeyed(sandbox) == []


@pytest.mark.parametrize("kind", KINDS)
def test_lost_responses_of_a_run_that_stops_are_found_by_the_next_process(
    sandbox: Sandbox, tmp_path: Path, kind: FaultKind
) -> None:
    """The connection is down from one POST on, so the run cannot look either."""
    switch(sandbox)
    sandbox.faults.plan("precoro", Fault(kind, method="POST"))
    sandbox.faults.plan("precoro", Fault(kind, method="GET", times=50, skip=2))
    with opened(tmp_path, "precoro") as runner:
        runner.stage(*RECORDS, below=BELOW).run()
    sandbox.faults.clear()

    with opened(tmp_path, "precoro") as runner:
        runner.runs = iter([7])
        runner.run()

    assert ours(sandbox) == OURS
    assert unkeyed(sandbox) == []


def test_a_second_call_that_fails_does_not_halt_the_canary(sandbox: Sandbox, tmp_path: Path) -> None:
    """The option is made and has no key yet: the next run gives it one, and no plan waits."""
    switch(sandbox)
    sandbox.faults.plan("precoro", Fault(FaultKind.HTML, method="PATCH"))

    with opened(tmp_path, "precoro") as runner:
        runner.stage(*RECORDS).run()
        runner.run()

    assert (set(ours(sandbox)), unkeyed(sandbox)) == ({"1", "2"}, [])


def test_a_second_call_that_always_fails_halts_the_canary(sandbox: Sandbox, tmp_path: Path) -> None:
    """A service that takes none would leave every option without its key."""
    switch(sandbox)
    sandbox.faults.plan("precoro", Fault(FaultKind.HTML, method="PATCH", times=2))

    with opened(tmp_path, "precoro") as runner:
        runner.stage(*RECORDS).run()
        assert runner.table("sync_runs")["state"].to_list() == ["halted"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_lost_response_is_completed_in_the_same_run(
    sandbox: Sandbox, tmp_path: Path, kind: FaultKind, method: str
) -> None:
    """The run lists the options before it sends anything again."""
    switch(sandbox)
    sandbox.faults.plan("precoro", Fault(kind, method=method, times=1))
    with opened(tmp_path, "precoro") as runner:
        assert {action for action, _ in runner.stage(*RECORDS, below=BELOW).run().values()} == {"create"}

    assert ours(sandbox) == OURS
    assert unkeyed(sandbox) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("form", "name", "is_recognized"),
    [("entities", "Ada & Sons", True), ("composed", "Cafe\u0301", True), ("cut", "A name of 21 characters", False)],
)
def test_a_lost_response_about_a_name_that_is_kept_in_another_form(
    sandbox: Sandbox, tmp_path: Path, form: str, name: str, *, is_recognized: bool
) -> None:
    """It is not made a second time in the same run either: what is not recognized may be what the create made."""
    switch(sandbox, stored_names=form)
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, method="POST", times=1))
    with opened(tmp_path, "precoro") as runner:
        runner.stage(customer("1", company_name=name), customer("2"))
        decided = [runner.run()["1"] for _ in range(2)]

    ambiguous = ("ambiguous", "several_candidates")
    assert decided[0] == (("create", "new") if is_recognized else ambiguous)
    assert decided[1][0] == ("unchanged" if is_recognized else "ambiguous")
    assert len(sandbox.precoro.options()[3:]) == 2
    assert len(unkeyed(sandbox)) == (not is_recognized)


@pytest.mark.long
@pytest.mark.parametrize("name", ["Company 1", "COMPANY  1"])
def test_an_option_that_existed_before_is_not_matched_to_a_create(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """Killed before the POST arrived: the same name is no proof, in whatever case."""
    switch(sandbox)
    before = sandbox.precoro.add_option(name)
    killed(tmp_path, 0)

    with opened(tmp_path, "precoro") as runner:
        runner.run()
        assert states(runner, "1")[:2] == ["intent", "absent"]

    assert ours(sandbox) == OURS
    found = [(each["name"], each["external_id"]) for each in sandbox.precoro.options() if each["option_id"] == before]
    assert found == [(name, None)]


def decide(runner: WorkflowRunner, source: str, source_id: str, target_id: int | None) -> None:
    """Link a record to an option, or to none, as `millpond link` does."""
    chosen = None if target_id is None else str(target_id)
    with runner.warehouse.writer() as con:
        link = ManualLink("precoro", source, source_id, chosen, "tester", runner.context("x").now, "")
        save_manual_link(con, link)


@pytest.mark.long
@pytest.mark.parametrize("place", ["top", pytest.param("other name", marks=LONG)])
@pytest.mark.parametrize("accepts", [False, True])
def test_an_option_that_appeared_since_may_be_the_create_that_a_person_edited(
    sandbox: Sandbox, tmp_path: Path, place: str, *, accepts: bool
) -> None:
    """Killed before the POST arrived. An account that is known to store the key in a create leaves no doubt."""
    switch(sandbox, post_external_id="accept" if accepts else "ignore")
    if accepts:
        with opened(tmp_path, "precoro") as runner:
            runner.stage(*RECORDS).run()
    killed(tmp_path, 0 if accepts else PATCH_OF_PROJECT - 1)  # of the POST of project 100
    sandbox.precoro.add_option("Phase" if place == "top" else "Other")

    with opened(tmp_path, "precoro") as runner:
        runner.runs = iter([7, 8])
        doubtful = {key for key, (action, _) in runner.run().items() if action == "ambiguous"}
        assert doubtful == (set() if accepts else {"100"})
        for key in doubtful:
            decide(runner, "projects", key, None)
        runner.run()

    assert ours(sandbox) == OURS
    assert len(unkeyed(sandbox)) == 1


@pytest.mark.long
@pytest.mark.parametrize("edit", ["rename", pytest.param("move", marks=LONG), pytest.param("both", marks=LONG)])
@pytest.mark.parametrize("disabled", ["include", OMIT])
def test_an_option_that_a_person_renamed_or_moved_is_not_made_again(
    sandbox: Sandbox, tmp_path: Path, edit: str, disabled: str
) -> None:
    """Killed between POST and PATCH; the reason names the option, and a link settles it."""
    switch(sandbox, listed_disabled=disabled)
    killed(tmp_path, PATCH_OF_PROJECT)
    (lost,) = [option["option_id"] for option in sandbox.precoro.options()[3:] if not option["external_id"]]
    edits = {"rename": {"name": "Renamed"}, "move": {"parent_id": None, "level": 1}}
    sandbox.precoro.edit_option(lost, **(edits["rename"] | edits["move"] if edit == "both" else edits[edit]))

    with opened(tmp_path, "precoro") as runner:
        assert runner.run()["100"] == ("ambiguous", "several_candidates")
        decisions = runner.table("sync_precoro")
        (reason,) = decisions.filter(decisions["source_id"] == "100")["reason"]
        assert f"target {lost}, renamed or moved since" in reason
        decide(runner, "projects", "100", lost)
    with opened(tmp_path, "precoro") as runner:
        runner.runs = iter([7, 8])
        runner.run()
        assert {action for action, _ in runner.run().values()} == {"unchanged"}

    assert unkeyed(sandbox) == []
    assert {key: name for key, (name, _) in ours(sandbox).items()} == {key: name for key, (name, _) in OURS.items()}


@pytest.mark.parametrize("edit", ["disable", *(pytest.param(each, marks=LONG) for each in ("type the key", "delete"))])
def test_an_option_that_a_person_disabled_keyed_or_deleted_exists_once(
    sandbox: Sandbox, tmp_path: Path, edit: str
) -> None:
    """Killed between POST and PATCH; NetSuite decides about the state."""
    switch(sandbox)
    killed(tmp_path, PATCH_OF_CUSTOMER)
    (lost,) = [option["option_id"] for option in sandbox.precoro.options()[3:]]
    if edit == "delete":
        sandbox.precoro.remove_option(lost)
    else:
        sandbox.precoro.edit_option(lost, **({"enable": 0} if edit == "disable" else {"external_id": "1"}))

    with opened(tmp_path, "precoro") as runner:
        runner.run()

    assert ours(sandbox) == OURS
    assert unkeyed(sandbox) == []


@pytest.mark.parametrize("post", ["accept", pytest.param("ignore", marks=LONG)])
@pytest.mark.parametrize("lists", ["include", OMIT])
def test_an_option_that_is_not_listed_yet_is_not_made_again(
    sandbox: Sandbox, tmp_path: Path, post: str, lists: str
) -> None:
    """After a lost response, in the run that follows at once, and by a plan that is applied later."""
    switch(sandbox, post_external_id=post, listing_delay_s=50, listed_disabled=lists)
    with opened(tmp_path, "precoro") as runner:
        waiting = runner.stage(*RECORDS, below=BELOW).plan("waits")
        with runner.warehouse.writer() as con:
            con.execute("update sync_plans set state = 'waiting'")
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, method="POST", times=2, skip=1))
    for number in range(2):
        with opened(tmp_path, "precoro") as runner:
            runner.runs = iter([number])
            runner.run()
    with opened(tmp_path, "precoro") as runner:
        assert runner.apply(waiting.plan_id, "applied").writes == 0

    assert ours(sandbox) == OURS
    assert unkeyed(sandbox) == []


@pytest.mark.long
@pytest.mark.parametrize("answer", ["one of them", "new"])
def test_options_that_are_indistinguishable_wait_for_a_person(sandbox: Sandbox, tmp_path: Path, answer: str) -> None:
    """Someone added the same name meanwhile: never made again, reported with both ids, and settled by a link."""
    switch(sandbox)
    killed(tmp_path, PATCH_OF_CUSTOMER)
    lost = sandbox.precoro.options()[-1]["option_id"]
    other = sandbox.precoro.add_option("Company 1")

    for attempt in range(3):
        with opened(tmp_path, "precoro") as runner:
            runner.runs = iter([attempt])
            decisions = runner.run()
            assert decisions["1"] == ("ambiguous", "several_candidates")
            assert decisions["100"][0] == "blocked"
            decisions = runner.table("sync_precoro")
            (reason,) = decisions.filter(decisions["source_id"] == "1")["reason"]
            assert str(lost) in reason
            assert str(other) in reason
    assert unkeyed(sandbox) == ["Company 1", "Company 1"]

    with opened(tmp_path, "precoro") as runner:
        runner.runs = iter([7, 8])
        decide(runner, "customers", "1", None if answer == "new" else lost)
        runner.run()
        assert {action for action, _ in runner.run().values()} == {"unchanged"}
    assert ours(sandbox) == OURS
    assert len(unkeyed(sandbox)) == (2 if answer == "new" else 1)


def test_a_persons_answer_covers_the_creates_before_it_and_no_later_one(sandbox: Sandbox, tmp_path: Path) -> None:
    """The lost create did not make the record that the answer lets the next run make; that one may be lost as well."""
    switch(sandbox)
    killed(tmp_path, PATCH_OF_CUSTOMER)
    sandbox.precoro.add_option("Company 1")
    with opened(tmp_path, "precoro") as runner:
        assert runner.run()["1"][0] == "ambiguous"
        decide(runner, "customers", "1", None)
    killed(tmp_path, PATCH_OF_CUSTOMER, run_id="killed again")
    with opened(tmp_path, "precoro") as runner:
        assert states(runner, "1") == ["intent", "ambiguous", "absent", "intent"]
    sandbox.precoro.add_option("Company 1")

    with opened(tmp_path, "precoro") as runner:
        runner.runs = iter([7, 8, 9])
        assert runner.run()["1"][0] == "ambiguous"
        decide(runner, "customers", "1", None)
        runner.run()
        assert {action for action, _ in runner.run().values()} == {"unchanged"}
        assert states(runner, "1") == [*["intent", "ambiguous", "absent"] * 2, "intent", "confirmed"]
    assert ours(sandbox) == OURS


@pytest.mark.long
def test_a_person_who_removes_one_of_the_two_answers_as_well(sandbox: Sandbox, tmp_path: Path) -> None:
    """The next run looks again."""
    switch(sandbox)
    killed(tmp_path, PATCH_OF_CUSTOMER)
    other = sandbox.precoro.add_option("Company 1")
    with opened(tmp_path, "precoro") as runner:
        assert runner.run()["1"][0] == "ambiguous"
    sandbox.precoro.remove_option(other)
    sandbox.clock.sleep(61)

    with opened(tmp_path, "precoro") as runner:
        runner.runs = iter([7])
        runner.run()

    assert ours(sandbox) == OURS
    assert unkeyed(sandbox) == []


@pytest.mark.long
def test_an_applied_plan_makes_nothing_that_an_unfinished_run_may_have_made(sandbox: Sandbox, tmp_path: Path) -> None:
    """The plan is older than the killed run and does not know of the option without a key."""
    switch(sandbox)
    with opened(tmp_path, "precoro") as runner:
        planned = runner.stage(*RECORDS, below=BELOW).plan("waits")
        with runner.warehouse.writer() as con:
            con.execute("update sync_plans set state = 'waiting'")
    killed(tmp_path, PATCH_OF_CUSTOMER)

    with opened(tmp_path, "precoro") as runner:
        decisions = runner.apply(planned.plan_id, "applied").decisions
        codes = dict(decisions.select("source_id", "reason_code").rows())
        assert codes["1"] == "stale_target"
        runner.runs = iter([7])
        runner.run()

    assert ours(sandbox) == OURS
    assert unkeyed(sandbox) == []


@pytest.mark.long
def test_an_applied_plan_takes_over_nothing_that_appeared_while_it_waited(sandbox: Sandbox, tmp_path: Path) -> None:
    """A person typed the same name meanwhile; the create did not arrive."""
    switch(sandbox)
    with opened(tmp_path, "precoro") as runner:
        planned = runner.stage(*RECORDS).plan("waits")
        with runner.warehouse.writer() as con:
            con.execute("update sync_plans set state = 'waiting'")
        sandbox.precoro.add_option("Company 1")
        sandbox.clock.sleep(61)
        sandbox.faults.plan("precoro", Fault(FaultKind.NOT_APPLIED_500, method="POST"))
        runner.apply(planned.plan_id, "applied")

    assert ours(sandbox) == {"1": ("Company 1", None), "2": ("Company 2", None)}
    assert unkeyed(sandbox) == ["Company 1"]


@pytest.mark.long
def test_records_of_one_name_are_never_open_together(sandbox: Sandbox, tmp_path: Path) -> None:
    """Phases of many projects share a name: what one kill leaves behind must still be distinguished."""
    switch(sandbox)
    below = tuple(
        project(str(number), customer_id="12"[number % 2], project_name="Phase") for number in range(100, 106)
    )

    killed(tmp_path, PATCH_OF_PROJECT + 3, *below)
    assert unkeyed(sandbox) == ["Phase"]

    with opened(tmp_path, "precoro") as runner:
        assert "ambiguous" not in {action for action, _ in runner.run().values()}

    assert len(ours(sandbox)) == 8
    assert unkeyed(sandbox) == []


def test_an_option_of_another_record_is_not_matched_to_a_create(sandbox: Sandbox, precoro: WorkflowRunner) -> None:
    """It has the same name and no key, because a person linked it or cleared the key."""
    target, other = precoro.target, sandbox.precoro.add_option("Company 1")
    assert isinstance(target, OptionTarget)
    create = Write("customers", "1", Action.CREATE, None, {"name": "Company 1"}, frozenset())
    lost = [LostCreate(create, frozenset())]
    (alone,) = match_unkeyed(target, lost, taken=[])
    (none,) = match_unkeyed(target, lost, taken=[str(other)])

    assert alone == Possible((str(other),), is_certain=True)
    assert none.target_ids == ()
