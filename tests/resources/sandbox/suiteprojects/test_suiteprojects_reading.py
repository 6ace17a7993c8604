"""Read: limits, pages, filters, `_Return`."""

from collections.abc import Callable

import pytest
from lxml import etree

from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches

Send = Callable[..., list[etree._Element]]

TYPE = 'type="Customer"'


def names(block: etree._Element) -> list[str]:
    """Return the names of a block's customers."""
    return [each.text for each in block.iterfind("Customer/name")]


@pytest.mark.parametrize("limit", ["", 'limit="0"', 'limit="1001"', 'limit="0,1001"', 'limit="x"'])
def test_a_limit_of_at_most_1000_is_required(send: Send, limit: str) -> None:
    """605 otherwise (§1.3)."""
    (block,) = send(f'<Read {TYPE} method="all" {limit}/>')

    assert block.get("status") == "605"


def test_limits_have_an_offset_and_may_have_a_blank(sandbox: Sandbox, send: Send) -> None:
    """Oracle's own sample has "0, 1000" (§1.3)."""
    sandbox.suiteprojects.add_many("Customer", [{"name": name} for name in "abcde"])

    first, second, past = send("".join(f'<Read {TYPE} method="all" limit="{at}"/>' for at in ("0, 2", "2,2", "9,2")))

    assert (names(first), names(second)) == (["a", "b"], ["c", "d"])
    assert (past.get("status"), len(past)) == ("601", 0)


def test_a_record_has_every_property_with_empty_elements_for_blanks(sandbox: Sandbox, send: Send) -> None:
    """Null and false look the same: an empty element (§1.4)."""
    sandbox.suiteprojects.add("Customer", name="a", active="0")

    (block,) = send(f'<Read {TYPE} method="all" limit="1"/>')

    customer = block[0]
    assert (customer.findtext("active"), customer.findtext("company"), customer.find("terms").text) == ("", "", None)
    assert customer.find("addr/Address/city") is not None
    assert customer.find("netsuite_customer_id__c") is None  # only with enable_custom


def test_false_may_be_zero(sandbox: Sandbox, send: Send) -> None:
    """Both have been observed (§1.4)."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, false_as="zero")
    sandbox.suiteprojects.add("Customer", name="a", active="0")

    assert send(f'<Read {TYPE} method="all" limit="1"/>')[0].findtext("Customer/active") == "0"


def test_only_requested_properties_are_returned(sandbox: Sandbox, send: Send) -> None:
    """`_Return` also accepts parts of an address (§1.3)."""
    sandbox.suiteprojects.add("Customer", name="a", addr_city="Paris", addr_zip="75001")

    (block,) = send(f'<Read {TYPE} method="all" limit="1"><_Return><id/><addr><city/></addr></_Return></Read>')

    assert [each.tag for each in block[0].iter()] == ["Customer", "id", "addr", "Address", "city"]


@pytest.mark.parametrize("field", ["nonsense", "deleted", "netsuite_customer_id__c"])
def test_an_unknown_field_is_rejected(send: Send, field: str) -> None:
    """602; `deleted` cannot be requested, and custom fields need enable_custom (§1.3)."""
    (block,) = send(f'<Read {TYPE} method="all" limit="1"><_Return><{field}/></_Return></Read>')

    assert block.get("status") == "602"


def test_equal_to_compares_every_given_property(sandbox: Sandbox, send: Send) -> None:
    """One record of the same type; custom fields with enable_custom (§1.3)."""
    sandbox.suiteprojects.add("Customer", name="a", externalid="1", netsuite_customer_id__c="7")
    sandbox.suiteprojects.add("Customer", name="a", externalid="2")

    both, custom, other = send(
        f'<Read {TYPE} method="equal to" limit="9"><Customer><name>a</name><externalid>2</externalid></Customer></Read>'
        f'<Read {TYPE} method="equal to" limit="9" enable_custom="1">'
        "<Customer><netsuite_customer_id__c>7</netsuite_customer_id__c></Customer></Read>"
        f'<Read {TYPE} method="not equal to" limit="9"><Customer><externalid>1</externalid></Customer></Read>'
    )

    found = [[each.text for each in block.iterfind("Customer/externalid")] for block in (both, custom, other)]
    assert found == [["2"], ["1"], ["2"]]


def test_each_date_filter_needs_a_field_and_a_date(sandbox: Sandbox, send: Send) -> None:
    """871 if the counts differ; a blank in the list is an error (§1.3)."""
    sandbox.suiteprojects.add("Customer", name="old")
    sandbox.clock.sleep(7200)
    sandbox.suiteprojects.add("Customer", name="new")
    day = "<year>2026</year><month>11</month><day>16</day>"
    date = f"<Date>{day}<hour>02</hour><minute>00</minute><second>00</second></Date>"
    two = 'field="updated,updated"'

    newer, older, unequal, blank = send(
        f'<Read {TYPE} method="all" limit="9" filter="newer-than" field="updated">{date}</Read>'
        f'<Read {TYPE} method="all" limit="9" filter="older-than" field="updated">{date}</Read>'
        f'<Read {TYPE} method="all" limit="9" filter="newer-than,older-than" {two}>{date}</Read>'
        f'<Read {TYPE} method="all" limit="9" filter="newer-than, older-than" {two}>{date}{date}</Read>'
    )

    assert (names(newer), names(older)) == (["new"], ["old"])
    assert (unequal.get("status"), blank.get("status")) == ("871", "10")


def test_deleted_records_are_read_separately(sandbox: Sandbox, send: Send) -> None:
    """`deleted` returns them alone, `include_nondeleted` both (§1.3)."""
    keys = sandbox.suiteprojects.add_many("Customer", [{"name": "existing"}, {"name": "deleted"}])
    sandbox.suiteprojects.delete("Customer", keys[1])

    existing, deleted, both = send(
        f'<Read {TYPE} method="all" limit="9"/><Read {TYPE} method="all" limit="9" deleted="1"/>'
        f'<Read {TYPE} method="all" limit="9" deleted="1" include_nondeleted="1"/>'
    )

    assert (names(existing), names(deleted), names(both)) == (["existing"], ["deleted"], ["existing", "deleted"])


def test_records_may_be_unordered_without_an_order(sandbox: Sandbox, send: Send) -> None:
    """Observed in a live account (§1.3)."""
    sandbox.suiteprojects.add_many("Customer", [{"name": f"{number:02}"} for number in range(30)])
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, unstable_order=True)

    unordered = {tuple(names(send(f'<Read {TYPE} method="all" limit="30"/>')[0])) for _ in range(5)}
    (ordered,) = send(f'<Read {TYPE} method="all" limit="30" order="name,desc"/>')

    assert len(unordered) > 1
    assert names(ordered) == sorted(names(ordered), reverse=True)


def test_unknown_commands_types_and_methods_have_their_status(send: Send) -> None:
    """Unknown command 5, type or method 603 (§9.3)."""
    blocks = send(f'<Nonsense/><Read type="Nonsense" method="all" limit="1"/><Read {TYPE} method="some" limit="1"/>')

    assert [block.get("status") for block in blocks] == ["5", "603", "603"]


def test_a_token_may_not_see_later_records(sandbox: Sandbox, send: Send) -> None:
    """The filter-set cache; clear_filter_cache refreshes it (§1.3)."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, filter_set_cache=True)
    sandbox.clock.sleep(60)
    sandbox.suiteprojects.add("Customer", name="new")

    hidden, cleared, after = send(
        f'<Read {TYPE} method="all" limit="1"/><Read {TYPE} method="all" limit="1" clear_filter_cache="1"/>'
        f'<Read {TYPE} method="all" limit="1"/>'
    )

    assert (names(hidden), names(cleared), names(after)) == ([], ["new"], ["new"])
