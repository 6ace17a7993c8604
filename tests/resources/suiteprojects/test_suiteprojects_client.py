"""Reads return every record once, whatever changes between pages; values convert both ways."""

import re

import pytest

from resources.errors import ContractError, RequestRejectedError
from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches
from resources.suiteprojects.client import PAGE, SuiteProjectsClient
from resources.suiteprojects.connect import open_suiteprojects
from resources.suiteprojects.paging import read_command
from resources.suiteprojects.xml import command, illegal_character, object_element, parse_xml, record_of
from tests.resources.altered import suiteprojects_with


def fill(sandbox: Sandbox, count: int) -> list[str]:
    """Add customers; return their ids."""
    customers = [{"name": f"C{n}", "externalid": str(n)} for n in range(count)]
    return [str(key) for key in sandbox.suiteprojects.add_many("Customer", customers)]


def test_every_record_is_read_once(sandbox: Sandbox, client: SuiteProjectsClient) -> None:
    """Also in an account that returns rows in any order unless one is requested."""
    keys = fill(sandbox, 2500)
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, unstable_order=True)

    assert [record["id"] for record in client.read_all("Customer", ["name"])] == keys
    assert client.calls == 2  # one page, then the others


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001])
def test_no_record_is_lost_at_the_edge_of_a_page(sandbox: Sandbox, client: SuiteProjectsClient, count: int) -> None:
    """Pages overlap by one row, which is returned once."""
    keys = fill(sandbox, count)

    assert [record["id"] for record in client.read_all("Customer", [])] == keys


@pytest.mark.parametrize(("limit", "requests"), [(None, 3), (9, 12), (19, 11)])
def test_a_long_list_takes_few_requests(
    sandbox: Sandbox, client: SuiteProjectsClient, limit: int | None, requests: int
) -> None:
    """One page, then five per request; where the account rejects that, one page per request."""
    keys = fill(sandbox, 82)
    client.page_size = 10
    if limit is not None:
        sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, max_read_objects=limit + 1)
    before = client.calls

    assert [record["id"] for record in client.read_all("Customer", [])] == keys
    assert client.calls - before == requests


@pytest.mark.parametrize("rows", [500, 62, 15, 10])
def test_an_account_with_smaller_pages_is_read(sandbox: Sandbox, client: SuiteProjectsClient, rows: int) -> None:
    """An account may allow fewer than 1000 rows (§1.3): the size is found by halving, and kept."""
    keys = fill(sandbox, 82)
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, max_limit=rows)

    first = [record["id"] for record in client.read_all("Customer", [])]
    before = client.calls
    again = [record["id"] for record in client.read_all("Customer", [])]

    assert first == again == keys
    assert client.page_size == rows
    assert client.calls - before <= 3


@pytest.mark.parametrize("rows", [81, 40, 10])
def test_an_account_that_silently_returns_fewer_rows_is_read(
    sandbox: Sandbox, client: SuiteProjectsClient, rows: int
) -> None:
    """A short page is then not the last one; the size that arrives is kept, so that the next read takes no more."""
    keys = fill(sandbox, 82)
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, max_rows=rows)

    first = [record["id"] for record in client.read_all("Customer", ["name"])]
    before = client.calls
    again = [record["id"] for record in client.read_all("Customer", ["name"])]

    assert first == again == keys
    assert client.page_size == rows
    assert client.calls - before <= 3


def test_a_rejected_read_does_not_end_the_check_of_other_lists(sandbox: Sandbox, client: SuiteProjectsClient) -> None:
    """The rejection was not of the question for the highest id; the next list was cut without a word."""
    keys = fill(sandbox, 82)
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, max_rows=40)

    with pytest.raises(RequestRejectedError, match="603"):
        list(client.read_all("Nonsense", []))

    assert [record["id"] for record in client.read_all("Customer", [])] == keys


def test_a_record_that_comes_after_the_page_does_not_shrink_later_pages(sandbox: Sandbox) -> None:
    """It looks like a page that was cut, until the list is read again."""
    keys, news = fill(sandbox, 3), [b"999"]

    def change(body: bytes) -> bytes:
        page, found, highest = body.partition(b"</Read>")
        return page + found + re.sub(rb"<id>\d+", b"<id>" + news.pop(), highest, count=1) if news and found else body

    with suiteprojects_with(sandbox, change) as client:
        assert [record["id"] for record in client.read_all("Customer", [])] == keys
        assert (client.calls, client.page_size) == (2, PAGE)


def test_a_deletion_between_two_pages_hides_no_other_record(sandbox: Sandbox, client: SuiteProjectsClient) -> None:
    """Offsets shift: the row at the edge would be skipped silently."""
    keys = fill(sandbox, 25)
    client.page_size = 10
    found = []
    for record in client.read_all("Customer", []):
        found.append(record["id"])
        if len(found) == 10:
            sandbox.suiteprojects.delete("Customer", int(keys[3]))

    assert sorted(found, key=int) == keys


def test_rows_that_keep_moving_raise_an_error(sandbox: Sandbox, client: SuiteProjectsClient) -> None:
    """Part of the records would be worse than none."""
    keys = iter(fill(sandbox, 100))
    client.page_size = 10

    def busy() -> None:
        for number, _ in enumerate(client.read_all("Customer", [])):
            if number % 5 == 0:
                sandbox.suiteprojects.delete("Customer", int(next(keys)))

    with pytest.raises(ContractError):
        busy()


def test_several_reads_are_one_request(sandbox: Sandbox, client: SuiteProjectsClient) -> None:
    """The quota counts requests."""
    fill(sandbox, 3)
    reads = [read_command("Customer", ["name"], limit="9", query={"externalid": key}) for key in ("0", "2", "7")]

    found = client.read_many(reads)

    assert [[record["name"] for record in records] for records in found] == [["C0"], ["C2"], []]
    assert client.calls == 1


def test_a_rejected_read_is_not_an_empty_list(client: SuiteProjectsClient) -> None:
    """An unknown field is an error, not an account without customers."""
    with pytest.raises(RequestRejectedError) as raised:
        list(client.read_all("Customer", ["nonsense"]))

    assert raised.value.code == "602"


@pytest.mark.parametrize("scope", ["token", "read"])
def test_a_token_reads_records_added_after_it_was_issued(sandbox: Sandbox, scope: str) -> None:
    """The filter-set cache hides new records from reads by token (§1.3), on each page and from each Read."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, filter_set_cache=True, clear_filter_cache=scope)
    token = sandbox.credentials["suiteprojects"]["access_token"]
    sandbox.clock.sleep(60)
    fill(sandbox, 3)

    with open_suiteprojects(sandbox=str(sandbox.folder), access_token=token) as client:
        client.page_size = 2
        assert len(list(client.read_all("Customer", []))) == 3
        reads = [read_command("Customer", [], limit="1", query={"id": str(number)}) for number in (1, 2)]
        assert [len(records) for records in client.read_many(reads, fresh=True)] == [1, 1]


def test_server_time_quota_and_status_texts_are_read(client: SuiteProjectsClient) -> None:
    """Server time is Eastern; status texts are read once."""
    assert client.server_time().startswith("2026-11-16 01:0")
    assert client.remaining_today() == 100_000 - 2
    calls = client.calls
    assert client.status_text(824) == client.status_text(824) == "name or company is required"
    assert client.calls == calls + 1


def test_a_record_has_flat_names_both_ways() -> None:
    """Addresses have a prefix, dates are text, blanks are None."""
    values = {"name": "A", "notes": None, "addr_city": "X", "addr_zip": None, "billing_addr_city": "Y"}

    element = object_element("Customer", values)

    assert record_of(element) == values
    assert [child.tag for child in element] == ["name", "notes", "addr", "billingaddr"]
    project = object_element("Project", {"start_date": "2026-03-09", "finish_date": None})
    assert record_of(project) == {"start_date": "2026-03-09", "finish_date": None}
    assert project.findtext("start_date/Date/month") == "03"


def test_illegal_characters_are_found() -> None:
    """XML 1.0 cannot represent them."""
    assert illegal_character("a\x01b") == "U+0001"
    assert illegal_character("\ud800") == "U+D800"
    assert illegal_character("tab\t, line\r\n, 😀 \ufffd") is None


def test_entities_are_not_resolved() -> None:
    """A response cannot make us read a file."""
    body = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><response><Auth status="0">&x;</Auth></response>'

    assert parse_xml(body)[0].text is None


def test_a_huge_text_is_written_and_read(client: SuiteProjectsClient) -> None:
    """Notes have no documented limit; many escaped characters are not an attack."""
    text = "a & <b> \r\n" * 200_000
    record = object_element("Customer", {"name": "A", "notes": text})

    client.execute([command("Add", {"type": "Customer"}, record)])

    (found,) = client.read_all("Customer", ["notes"])
    assert found["notes"] == text


def test_every_call_is_counted(client: SuiteProjectsClient) -> None:
    """The ledger reports them."""
    client.server_time()
    assert client.calls == 1
