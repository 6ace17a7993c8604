"""The client against the stand-in."""

import time
from itertools import pairwise
from typing import Any

import pytest

from resources.errors import (
    AnswerLostError,
    ContractError,
    CredentialsError,
    QuotaExhaustedError,
    RecordRejectedError,
    RequestRejectedError,
)
from resources.precoro.client import PrecoroClient
from resources.precoro.connect import open_precoro
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox

FIELD = 5144


def switch(sandbox: Sandbox, **values: Any) -> None:
    """Change switches of Precoro's stand-in."""
    sandbox.switches.set("precoro", PrecoroSwitches, **values)


def fill(sandbox: Sandbox, count: int) -> None:
    """Put options into the field, without calls."""
    for number in range(count):
        sandbox.precoro.add_option(f"option {number}", external_id=str(number))


def test_fields_are_listed(precoro: PrecoroClient) -> None:
    """The engine chooses one of them, by id or name."""
    chosen, other = precoro.fields()

    assert (chosen.field_id, chosen.name, chosen.enable) == (FIELD, "Customers/Projects", True)
    assert chosen.type_text == "Drop-down list"
    assert other.name == "Cost type"


@pytest.mark.parametrize("dialect", ["both", "old", "new"])
def test_every_option_is_read_in_every_dialect(precoro: PrecoroClient, sandbox: Sandbox, dialect: str) -> None:
    """450 options come on three pages, whichever paging keys the service sends."""
    switch(sandbox, pagination=dialect)
    fill(sandbox, 450)

    options = precoro.options(FIELD)

    assert [option.option_id for option in options] == [row["option_id"] for row in sandbox.precoro.options()]
    assert precoro.calls == 3


def test_limits_read_more_strictly_are_waited_out(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """§3: should "the same GET" mean the path alone, every further page waits for its stamp and is read."""
    switch(sandbox, identical_by="path")
    fill(sandbox, 450)

    assert len(precoro.options(FIELD)) == 453
    assert sandbox.precoro.refusals() == 2


@pytest.mark.parametrize("count", [199, 200, 401])
def test_every_option_is_read_unpaged(precoro: PrecoroClient, sandbox: Sandbox, count: int) -> None:
    """A list without meta is complete, even when it is just as long as a page."""
    switch(sandbox, options_paged=False)
    fill(sandbox, count - 3)

    assert len(precoro.options(FIELD)) == count


def test_the_parent_is_read_when_it_is_told(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """§5: not relied upon; [] means none."""
    top = sandbox.precoro.add_option("top")
    child = sandbox.precoro.add_option("child", parent_id=top)
    untold = {option.option_id: option for option in precoro.options(FIELD)}[child]
    switch(sandbox, parent_in_answers=True)
    told = {option.option_id: option for option in precoro.options(FIELD)}

    assert (untold.parent_id, untold.tells_parent, untold.level) == (None, False, 2)
    assert (told[child].parent_id, told[top].parent_id) == (top, None)


def test_create_replace_and_patch(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """Forms with 1/0 and `parent[id]`, as production clients send them."""
    top = precoro.create_option(FIELD, {"name": "Acme", "enable": "1", "externalId": "1"})
    whole = {"name": "Refit", "code": "P-1", "enable": "0", "externalId": "2", "parent[id]": str(top.option_id)}
    child = precoro.create_option(FIELD, whole)
    precoro.replace_option(FIELD, child.option_id, whole | {"name": "Refit 2027", "enable": "1"})
    precoro.set_external_id(FIELD, child.option_id, "3")

    kept = sandbox.precoro.options()[-1]
    assert (kept["name"], kept["code"], kept["enable"]) == ("Refit 2027", "P-1", True)
    assert (kept["external_id"], kept["parent_id"], kept["level"]) == ("3", top.option_id, 2)


def test_legal_entities_are_tied_with_the_names_seen_in_production(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """§5 row 7: hotglue's names, not the SDK's; the answer may be empty."""
    made = precoro.create_option(FIELD, {"name": "Acme"})

    precoro.depend_add(made.option_id, ["27377", "27378"])

    sent = sandbox.precoro.log()[-1]
    assert "item_custom_field_option_id=" in sent["body"]
    assert [row["entity_id"] for row in sandbox.precoro.dependencies()] == ["27377", "27378"]


def test_a_refusal_keeps_the_text_and_drops_the_name(precoro: PrecoroClient) -> None:
    """§4: the text is in a doubled envelope; a customer's name never gets into an error."""
    name = "Very Secret Customer " * 20

    with pytest.raises(RecordRejectedError, match="name: This value is too long") as refused:
        precoro.create_option(FIELD, {"name": name})

    assert "Secret" not in str(refused.value)
    assert refused.value.code == "400"


def test_wrong_credentials_stop_at_once(sandbox: Sandbox) -> None:
    """F01: one call, no retry, and no token in the text."""
    with open_precoro(sandbox=sandbox.folder, token="wrong-token") as client:
        with pytest.raises(CredentialsError) as refused:
            client.check()

        assert client.calls == 1
    assert "wrong-token" not in str(refused.value)


def test_an_unknown_field_is_a_wrong_request(precoro: PrecoroClient) -> None:
    """The fall-back to nested options does not hide it."""
    with pytest.raises(RequestRejectedError) as refused:
        precoro.options(999)

    assert refused.value.code == "404"


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.EMPTY, FaultKind.TRUNCATED])
def test_a_spoiled_page_never_shortens_a_list(precoro: PrecoroClient, sandbox: Sandbox, kind: FaultKind) -> None:
    """The second of three pages is spoiled: no list at all."""
    fill(sandbox, 450)
    sandbox.faults.plan("precoro", Fault(kind, method="GET", pattern="page=2"))

    with pytest.raises(ContractError):
        precoro.options(FIELD)


def test_a_read_is_repeated_after_a_failure(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """And waits for its minute, because the identical GET is limited: no 429 comes."""
    sandbox.faults.plan("precoro", Fault(FaultKind.DONE_500, method="GET"))
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, method="GET"))

    assert len(precoro.options(FIELD)) == 3
    assert sandbox.precoro.refusals() == 0


@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.DONE_500, FaultKind.CUT, FaultKind.TRUNCATED])
def test_a_lost_create_is_not_repeated(precoro: PrecoroClient, sandbox: Sandbox, kind: FaultKind) -> None:
    """F40: a second POST would make a second option."""
    sandbox.faults.plan("precoro", Fault(kind, method="POST"))

    with pytest.raises(AnswerLostError):
        precoro.create_option(FIELD, {"name": "Acme", "externalId": "1"})

    assert [row["external_id"] for row in sandbox.precoro.options()].count("1") == 1


def test_a_lost_replace_is_repeated(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """A PUT of the whole record may arrive twice."""
    made = precoro.create_option(FIELD, {"name": "Acme"})
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, method="PUT"))

    replaced = precoro.replace_option(FIELD, made.option_id, {"name": "Acme Corp", "enable": "1"})

    assert replaced.name == "Acme Corp"


def test_the_daily_limit_stops_and_the_next_day_goes_on(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """F39: the service says Daily; waiting inside the run would take until tomorrow."""
    switch(sandbox, calls_per_day=3)
    for number in range(3):
        precoro.create_option(FIELD, {"name": f"option {number}"})
    before = sandbox.clock.now()

    with pytest.raises(QuotaExhaustedError, match=r"Daily limiter; it goes on at 2026-11-17 06:0\d:\d\d UTC"):
        precoro.create_option(FIELD, {"name": "one more"})

    assert (sandbox.clock.now() - before).total_seconds() < 10
    assert sandbox.precoro.refusals() == 1
    sandbox.clock.sleep(86400)
    assert precoro.create_option(FIELD, {"name": "one more"}).name == "one more"


def test_the_hourly_limit_is_waited_out_to_its_stamp(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """The body's stamp counts, not a blind hour: one refusal, then it goes on."""
    switch(sandbox, calls_per_hour=2, retry_after_header=False)
    began = sandbox.clock.now()

    for number in range(3):
        precoro.create_option(FIELD, {"name": f"option {number}"})

    waited = (sandbox.clock.now() - began).total_seconds()
    assert 3600 <= waited < 3605
    assert sandbox.precoro.refusals() == 1


def test_no_429_in_strict_mode_over_1600_calls(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """F37-F39: the budget keeps to the second, the minute, the hour and the identical GET by itself."""
    began, wall = sandbox.clock.now(), time.monotonic()
    for number in range(1590):
        precoro.create_option(FIELD, {"name": f"option {number}"})
    for _ in range(2):
        assert len(precoro.options(FIELD)) == 1593

    log = sandbox.precoro.log()
    moments = [row["at"] for row in log]
    assert len(log) == 1590 + 2 * 8
    assert sandbox.precoro.refusals() == 0
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 1.0
    assert (sandbox.clock.now() - began).total_seconds() > 3600
    assert precoro.remaining()["day"] == 3000 - len(log)
    assert time.monotonic() - wall < 60


def test_two_clients_share_one_budget(sandbox: Sandbox) -> None:
    """One token, one allowance, however many processes."""
    with open_precoro(sandbox=sandbox.folder) as one, open_precoro(sandbox=sandbox.folder) as two:
        for number in range(20):
            one.create_option(FIELD, {"name": f"one {number}"})
            two.create_option(FIELD, {"name": f"two {number}"})

        assert one.remaining() == two.remaining()
    assert sandbox.precoro.refusals() == 0
