"""The Precoro client against the sandbox."""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest

from resources.errors import (
    AnswerLostError,
    ContractError,
    CredentialsError,
    QuotaExhaustedError,
    RecordRejectedError,
    RequestRejectedError,
)
from resources.http import PARSE_ATTEMPTS, HttpClient
from resources.precoro.client import PrecoroClient
from resources.precoro.connect import open_precoro
from resources.precoro.errors import ErrorTranslator
from resources.sandbox.faults import Fault, FaultKind
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox
from tests.resources.altered import precoro_with

FIELD = 5144


def switch(sandbox: Sandbox, **values: Any) -> None:
    """Change switches of the Precoro sandbox."""
    sandbox.switches.set("precoro", PrecoroSwitches, **values)


def fill(sandbox: Sandbox, count: int) -> None:
    """Add options to the field without API calls."""
    for number in range(count):
        sandbox.precoro.add_option(f"option {number}", external_id=str(number))


def test_fields_are_listed(precoro: PrecoroClient) -> None:
    """A workflow names one of them, by id or name."""
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


def test_a_stricter_limit_of_identical_calls_is_waited_out(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """§3: if "the same GET" means the path alone, each further page waits for its timestamp."""
    switch(sandbox, identical_by="path")
    fill(sandbox, 450)

    assert len(precoro.options(FIELD)) == 453
    assert sandbox.precoro.rate_limited_calls() == 2


@pytest.mark.parametrize("count", [199, 200, 401])
def test_every_option_of_an_unpaged_list_is_read(precoro: PrecoroClient, sandbox: Sandbox, count: int) -> None:
    """A list without meta is complete, even if it is exactly as long as a page."""
    switch(sandbox, options_paged=False)
    fill(sandbox, count - 3)

    assert len(precoro.options(FIELD)) == count


def test_the_parent_is_read_if_it_is_in_the_response(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """§5: the client does not rely on it; [] means none."""
    top = sandbox.precoro.add_option("top")
    child = sandbox.precoro.add_option("child", parent_id=top)
    without = {option.option_id: option for option in precoro.options(FIELD)}[child]
    switch(sandbox, parent_in_responses=True)
    with_info = {option.option_id: option for option in precoro.options(FIELD)}

    assert (without.parent_id, without.has_parent_info, without.level) == (None, False, 2)
    assert (with_info[child].parent_id, with_info[top].parent_id) == (top, None)


def test_create_replace_and_patch(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """Forms use 1/0 and `parent[id]`, as production clients do."""
    top = precoro.create_option(FIELD, {"name": "Acme", "enable": "1", "externalId": "1"})
    whole = {"name": "Refit", "code": "P-1", "enable": "0", "externalId": "2", "parent[id]": str(top.option_id)}
    child = precoro.create_option(FIELD, whole)
    precoro.replace_option(FIELD, child.option_id, whole | {"name": "Refit 2027", "enable": "1"})
    precoro.set_external_id(FIELD, child.option_id, "3")

    stored = sandbox.precoro.options()[-1]
    assert (stored["name"], stored["code"], stored["enable"]) == ("Refit 2027", "P-1", True)
    assert (stored["external_id"], stored["parent_id"], stored["level"]) == ("3", top.option_id, 2)


def test_legal_entities_are_linked_with_production_parameter_names(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """§5 row 7: hotglue's names, not the SDK's; the response may be empty."""
    option = precoro.create_option(FIELD, {"name": "Acme"})

    precoro.depend_add(option.option_id, ["27377", "27378"])

    sent = sandbox.precoro.call_log()[-1]
    assert "item_custom_field_option_id=" in sent["body"]
    assert [row["entity_id"] for row in sandbox.precoro.dependencies()] == ["27377", "27378"]


@pytest.mark.parametrize("answer", [b"<html>maintenance</html>", b'{"errors": {"entity_ids": "unknown"}}', b"{"])
def test_an_option_is_linked_only_if_the_answer_says_nothing_else(sandbox: Sandbox, answer: bytes) -> None:
    """An empty body means success; a page of a proxy does not, and links cannot be read."""
    with precoro_with(sandbox, lambda body: body or answer) as client:
        option = client.create_option(FIELD, {"name": "Acme"})
        with pytest.raises(AnswerLostError, match="link option"):
            client.depend_add(option.option_id, ["27377"])


def test_an_answer_about_another_option_confirms_nothing(sandbox: Sandbox) -> None:
    """A cache, or a proxy that mixes up two connections: the write may have arrived."""
    first, second = (sandbox.precoro.add_option(name, external_id=name) for name in ("one", "two"))
    other = f"{first}".encode(), f"{first}7".encode()
    with precoro_with(sandbox, lambda body: body.replace(*other)) as client:
        assert client.replace_option(FIELD, second, {"name": "New", "enable": "1"}).option_id == second
        with pytest.raises(AnswerLostError, match=f"another option, {first}7"):
            client.replace_option(FIELD, first, {"name": "New", "enable": "1"})
        with pytest.raises(AnswerLostError, match=f"another option, {first}7"):
            client.set_external_id(FIELD, first, "3")


def test_an_answer_with_an_option_and_an_error_confirms_nothing(sandbox: Sandbox) -> None:
    """It may be rejected, or written with a warning: the next run reads which."""
    key = sandbox.precoro.add_option("one", external_id="1")
    broken = b'"errors": {"errors": {"name": "This value is too long."}}, "id":'
    with precoro_with(sandbox, lambda body: body.replace(b'"id":', broken, 1)) as client:
        for write in (
            lambda: client.create_option(FIELD, {"name": "Acme"}),
            lambda: client.replace_option(FIELD, key, {"name": "New", "enable": "1"}),
            lambda: client.set_external_id(FIELD, key, "3"),
        ):
            with pytest.raises(AnswerLostError, match="contains an error"):
                write()


def test_a_list_with_an_error_is_not_the_whole_list(sandbox: Sandbox) -> None:
    """An empty one would have every option created again."""
    fill(sandbox, 2)
    broken = b'{"error": "Temporarily unavailable.", "data": []}'
    with precoro_with(sandbox, lambda _: broken) as client, pytest.raises(ContractError, match="contains an error"):
        client.options(FIELD)


def test_an_error_keeps_the_text_and_drops_the_name(precoro: PrecoroClient) -> None:
    """§4: the text is in a nested envelope; a customer's name never appears in an error."""
    name = "Very Secret Customer " * 20

    with pytest.raises(RecordRejectedError, match="name: This value is too long") as raised:
        precoro.create_option(FIELD, {"name": name})

    assert "Secret" not in str(raised.value)
    assert raised.value.code == "400"


def test_wrong_credentials_stop_at_once(sandbox: Sandbox) -> None:
    """F01: one call, no retry, no token in the text."""
    with open_precoro(sandbox=sandbox.folder, token="wrong-token") as client:
        with pytest.raises(CredentialsError) as raised:
            client.check()

        assert client.calls == 1
    assert "wrong-token" not in str(raised.value)


def test_an_unknown_field_is_a_rejected_request(precoro: PrecoroClient) -> None:
    """The fallback to nested options does not hide it."""
    with pytest.raises(RequestRejectedError) as raised:
        precoro.options(999)

    assert raised.value.code == "404"


def without_listing(pagination: bytes, page: str | None) -> Callable[[httpx.Request], httpx.Response]:
    """Return a company that has options in the fields alone, and says so with a page or without a body."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/options"):
            return httpx.Response(404, html=page)
        data = b'{"data": [{"id": 1, "name": "a", "enable": true, "externalId": "7"}]' + pagination + b"}"
        return httpx.Response(200, content=b'{"id": 5144, "name": "x", "options": ' + data + b"}")

    return answer


@pytest.mark.parametrize(("total", "page"), [(0, None), (1, None), (3, None), (1, "<h1>Not found</h1>")])
def test_options_nested_in_a_field_are_read_only_if_they_are_all(
    sandbox: Sandbox, total: int, page: str | None
) -> None:
    """A first page of them would have the others created again."""
    paging = b', "meta": {"pagination": {"total": %d, "count": 1, "total_pages": %d}}' % (total, total)
    http = httpx.Client(
        base_url="https://x.example", transport=httpx.MockTransport(without_listing(paging if total else b"", page))
    )
    translate = ErrorTranslator(sandbox.clock)
    client = PrecoroClient(
        HttpClient(http, system="precoro", clock=sandbox.clock, translate=translate), clock=sandbox.clock
    )

    if total > 1:
        with pytest.raises(ContractError):
            client.options(FIELD)
    else:
        assert [each.external_id for each in client.options(FIELD)] == ["7"]


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.EMPTY, FaultKind.TRUNCATED])
def test_an_unusable_page_never_shortens_a_list(precoro: PrecoroClient, sandbox: Sandbox, kind: FaultKind) -> None:
    """The second of three pages is unusable: it is asked for again, and without it no list is returned."""
    fill(sandbox, 450)
    sandbox.faults.plan("precoro", Fault(kind, method="GET", pattern="page=2", times=PARSE_ATTEMPTS + 1))

    with pytest.raises(ContractError):
        precoro.options(FIELD)
    assert len(precoro.options(FIELD)) > 450
    assert sandbox.precoro.rate_limited_calls() == 0


def test_a_read_is_repeated_after_a_failure(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """The retry waits for its minute, as identical GETs are limited: no 429 occurs."""
    sandbox.faults.plan("precoro", Fault(FaultKind.APPLIED_500, method="GET"))
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, method="GET"))

    assert len(precoro.options(FIELD)) == 3
    assert sandbox.precoro.rate_limited_calls() == 0


@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.APPLIED_500, FaultKind.CUT, FaultKind.TRUNCATED])
def test_a_lost_create_is_not_repeated(precoro: PrecoroClient, sandbox: Sandbox, kind: FaultKind) -> None:
    """F40: a second POST would create a second option."""
    sandbox.faults.plan("precoro", Fault(kind, method="POST"))

    with pytest.raises(AnswerLostError):
        precoro.create_option(FIELD, {"name": "Acme", "externalId": "1"})

    assert [row["external_id"] for row in sandbox.precoro.options()].count("1") == 1


def test_a_lost_replace_is_repeated(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """A PUT of the whole record may arrive twice."""
    option = precoro.create_option(FIELD, {"name": "Acme"})
    sandbox.faults.plan("precoro", Fault(FaultKind.LOST, method="PUT"))

    replaced = precoro.replace_option(FIELD, option.option_id, {"name": "Acme Corp", "enable": "1"})

    assert replaced.name == "Acme Corp"


def test_the_daily_limit_stops_the_run_until_the_next_day(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """F39: the service reports a daily limit; waiting would take until tomorrow."""
    switch(sandbox, calls_per_day=3)
    for number in range(3):
        precoro.create_option(FIELD, {"name": f"option {number}"})
    before = sandbox.clock.now()

    with pytest.raises(QuotaExhaustedError, match=r"Daily limiter; continues at 2026-11-17 06:0\d:\d\d UTC"):
        precoro.create_option(FIELD, {"name": "one more"})

    assert (sandbox.clock.now() - before).total_seconds() < 10
    assert sandbox.precoro.rate_limited_calls() == 1
    sandbox.clock.sleep(86400)
    assert precoro.create_option(FIELD, {"name": "one more"}).name == "one more"


def test_the_hourly_limit_is_waited_out_until_its_timestamp(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """The client waits until the timestamp in the body, not for an hour: one 429, then success."""
    switch(sandbox, calls_per_hour=2, retry_after_header=False)
    began = sandbox.clock.now()

    for number in range(3):
        precoro.create_option(FIELD, {"name": f"option {number}"})

    waited = (sandbox.clock.now() - began).total_seconds()
    assert 3600 <= waited < 3605
    assert sandbox.precoro.rate_limited_calls() == 1


@pytest.mark.long
def test_no_429_in_strict_mode_over_1600_calls(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """F37-F39: the budget obeys the limits per second, minute and hour and of identical GETs."""
    began, wall = sandbox.clock.now(), time.monotonic()
    for number in range(1590):
        precoro.create_option(FIELD, {"name": f"option {number}"})
    for _ in range(2):
        assert len(precoro.options(FIELD)) == 1593

    log = sandbox.precoro.call_log()
    moments = [row["at"] for row in log]
    assert len(log) == 1590 + 2 * 8
    assert sandbox.precoro.rate_limited_calls() == 0
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 1.0
    assert (sandbox.clock.now() - began).total_seconds() > 3600
    assert precoro.remaining()["day"] == 3000 - len(log)
    assert time.monotonic() - wall < 60


def test_two_clients_share_one_budget(sandbox: Sandbox) -> None:
    """One token has one quota, for any number of processes."""
    with open_precoro(sandbox=sandbox.folder) as one, open_precoro(sandbox=sandbox.folder) as two:
        for number in range(20):
            one.create_option(FIELD, {"name": f"one {number}"})
            two.create_option(FIELD, {"name": f"two {number}"})

        assert one.remaining() == two.remaining()
    assert sandbox.precoro.rate_limited_calls() == 0
