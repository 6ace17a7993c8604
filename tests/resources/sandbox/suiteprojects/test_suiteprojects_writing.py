"""Add, Modify, Delete: rules, lookups, one block per command."""

from collections.abc import Callable

import pytest
from lxml import etree

from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches

Send = Callable[..., list[etree._Element]]


def codes(blocks: list[etree._Element]) -> list[str]:
    """Return the statuses of the blocks."""
    return [block.get("status") for block in blocks]


def upsert(key: str, content: str, attributes: str = "") -> str:
    """Return an Add of a customer with a lookup by external id."""
    customer = f"<Customer><externalid>{key}</externalid>{content}</Customer>"
    return f'<Add type="Customer" lookup="externalid" {attributes}>{customer}</Add>'


def test_a_rejected_record_does_not_affect_the_others(sandbox: Sandbox, send: Send) -> None:
    """One block per command, in order, without content if it failed (§1.4)."""
    blocks = send(
        upsert("1", "<name>A</name>")
        + upsert("2", "")
        + upsert("3", "<name>C</name><currency>XXX</currency>")
        + upsert("4", "<company>D</company>")
    )

    assert codes(blocks) == ["0", "824", "837", "0"]
    assert [len(block) for block in blocks] == [1, 0, 0, 1]
    assert [row["name"] for row in sandbox.suiteprojects.rows("Customer")] == ["A", "D"]


def test_an_upsert_changes_only_given_properties(sandbox: Sandbox, send: Send) -> None:
    """A single match is an update; an empty element clears (§1.3)."""
    sandbox.suiteprojects.add("Customer", externalid="1", name="A", company="Long", notes="keep", addr_city="Wien")

    (block,) = send(upsert("1", "<company/><addr><Address><zip>1010</zip></Address></addr>"))

    (row,) = sandbox.suiteprojects.rows("Customer")
    assert (row["name"], row["notes"], row["addr_city"], row["addr_zip"]) == ("A", "keep", "Wien", "1010")
    assert "company" not in row
    assert block.findtext("Customer/id") == row["id"]


def test_repeated_address_elements_are_merged(sandbox: Sandbox, send: Send) -> None:
    """Oaxmlapi writes one address element per part (§1.5)."""
    send(
        upsert(
            "1",
            "<name>A</name><addr><Address><city>X</city></Address></addr><addr><Address><zip>1</zip></Address></addr>",
        )
    )

    (row,) = sandbox.suiteprojects.rows("Customer")
    assert (row["addr_city"], row["addr_zip"]) == ("X", "1")


@pytest.mark.parametrize(("matches", "code", "count"), [("852", "852", 2), ("first", "0", 2), ("create", "0", 3)])
def test_multiple_matches_are_a_switch(sandbox: Sandbox, send: Send, matches: str, code: str, count: int) -> None:
    """The behavior is undocumented (§1.3)."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, multiple_matches=matches)
    sandbox.suiteprojects.add_many("Customer", [{"externalid": "1", "name": "A"}, {"externalid": "1", "name": "B"}])

    assert codes(send(upsert("1", "<name>C</name>"))) == [code]
    assert len(sandbox.suiteprojects.rows("Customer")) == count


def test_modify_needs_an_existing_id(sandbox: Sandbox, send: Send) -> None:
    """601 for no id, an unknown id and a deleted record (§1.3)."""
    key = sandbox.suiteprojects.add("Customer", name="A")
    sandbox.suiteprojects.delete("Customer", key)

    contents = ("<name>B</name>", "<id>99</id>", f"<id>{key}</id>")
    blocks = send("".join(f'<Modify type="Customer"><Customer>{each}</Customer></Modify>' for each in contents))

    assert codes(blocks) == ["601"] * 3


def test_references_by_key_are_resolved(sandbox: Sandbox, send: Send) -> None:
    """By external id or by name; 910 if there is no such record, 916 if the type has no external id (§1.3)."""
    key = sandbox.suiteprojects.add("Customer", externalid="NS-1", name="Acme")
    references = (
        'external="Customer">NS-1',
        'name="Customer">Acme',
        'external="Customer">NS-2',
        'external="Currency">USD',
    )

    blocks = send(
        "".join(
            f'<Add type="Project"><Project><name>P</name><customerid {each}</customerid></Project></Add>'
            for each in references
        )
    )

    assert codes(blocks) == ["0", "0", "910", "916"]
    assert blocks[0].findtext("Project/customerid") == str(key)


def test_a_record_with_dependents_cannot_be_deleted(sandbox: Sandbox, send: Send) -> None:
    """701 with the ids of the dependents; deleted records are only marked (§1.3, §5)."""
    customer = sandbox.suiteprojects.add("Customer", name="A")
    project = sandbox.suiteprojects.add("Project", name="P", customerid=str(customer))
    delete = '<Delete type="{0}"><{0}><id>{1}</id></{0}></Delete>'

    blocks = send(
        delete.format("Customer", customer)
        + delete.format("Project", project)
        + delete.format("Customer", customer)
        + delete.format("Customer", customer)
        + delete.format("Hierarchy", 1)
    )

    assert codes(blocks) == ["701", "0", "0", "601", "603"]
    assert blocks[0].findtext("Project/id") == str(project)
    assert [row["name"] for row in sandbox.suiteprojects.rows("Customer", deleted=True)] == ["A"]


def test_contacts_and_projects_need_their_customer(send: Send) -> None:
    """801 without a customer, 859 if it does not exist (§1.7)."""
    blocks = send(
        '<Add type="Project"><Project><name>P</name></Project></Add>'
        '<Add type="Project"><Project><name>P</name><customerid>9</customerid></Project></Add>'
        '<Add type="Contact"><Contact><customerid>9</customerid></Contact></Add>'
    )

    assert codes(blocks) == ["801", "859", "859"]


def test_a_contact_needs_a_last_name(sandbox: Sandbox, send: Send) -> None:
    """907: addr is required, with `last` (§4)."""
    key = sandbox.suiteprojects.add("Customer", name="A")

    (block,) = send(f'<Add type="Contact"><Contact><customerid>{key}</customerid></Contact></Add>')

    assert block.get("status") == "907"


def test_custom_fields_are_validated_by_their_definitions(sandbox: Sandbox, send: Send) -> None:
    """Only with enable_custom; length, list, checkbox and uniqueness are enforced (1100-1106)."""
    define = sandbox.suiteprojects.add_custom_field
    define("customer", "tick", picker="checkbox")
    define("customer", "color", picker="dropdown", valuelist="red,blue")
    define("customer", "once", force_unique="1")
    sandbox.suiteprojects.add("Customer", name="A", once__c="7")
    custom = 'enable_custom="1"'

    blocks = send(
        upsert("1", "<name>B</name><tick__c>1</tick__c>")
        + upsert("2", "<name>C</name><tick__c>yes</tick__c>", custom)
        + upsert("3", "<name>D</name><color__c>green</color__c>", custom)
        + upsert("4", "<name>E</name><once__c>7</once__c>", custom)
        + upsert("5", f"<name>F</name><netsuite_customer_id__c>{'9' * 21}</netsuite_customer_id__c>", custom)
        + upsert("6", "<name>G</name><tick__c>yes</tick__c><color__c>green</color__c>", custom)
        + upsert("7", "<name>H</name><color__c>red</color__c>", custom)
    )

    assert codes(blocks) == ["0", "1100", "1101", "1104", "1102", "1106", "0"]
    assert "tick__c" not in sandbox.suiteprojects.rows("Customer")[1]


def test_lengths_are_enforced_only_if_configured(sandbox: Sandbox, send: Send) -> None:
    """Every length is [U]; some systems cut silently (§4)."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.name": 3})
    assert codes(send(upsert("1", "<name>abcd</name>"))) == ["2001"]

    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, long_values="cut")

    assert send(upsert("1", "<name>abcd</name>"))[0].findtext("Customer/name") == "abc"


def test_modify_on_condition_rejects_newer_records(sandbox: Sandbox, send: Send) -> None:
    """1200 if the record was updated after the date (§1.3)."""
    key = sandbox.suiteprojects.add("Customer", name="A")
    command = (
        '<ModifyOnCondition type="Customer" condition="if-not-updated">'
        f"<Customer><id>{key}</id><name>B</name></Customer>"
        "<Date><year>{year}</year><month>01</month><day>01</day></Date></ModifyOnCondition>"
    )

    assert codes(send(command.format(year=2020) + command.format(year=2030))) == ["1200", "0"]


def test_dates_are_validated(sandbox: Sandbox, send: Send) -> None:
    """944; a valid date is returned unchanged (§1.5)."""
    key = sandbox.suiteprojects.add("Customer", name="A")
    add = (
        '<Add type="Project"><Project><name>P</name><customerid>{}</customerid><start_date><Date>'
        "<year>2026</year><month>{}</month><day>31</day></Date></start_date></Project></Add>"
    )

    invalid, valid = send(add.format(key, "02") + add.format(key, "03"))

    assert (invalid.get("status"), valid.get("status")) == ("944", "0")
    assert [valid.findtext(f"Project/start_date/Date/{part}") for part in ("year", "month", "day")] == [
        "2026",
        "03",
        "31",
    ]


def test_multiple_objects_in_one_add_have_a_block_each(sandbox: Sandbox, send: Send) -> None:
    """The documentation allows it, no known client does it: a switch (§10.12)."""
    add = '<Add type="Customer"><Customer><name>A</name></Customer><Customer><name>B</name></Customer></Add>'
    assert codes(send(add)) == ["0", "0"]

    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, multiple_objects_per_add=False)

    assert codes(send(add)) == ["3"]
