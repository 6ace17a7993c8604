"""Add, Modify, Delete: rules, look-ups, one block per command."""

from collections.abc import Callable

import pytest
from lxml import etree

from resources.sandbox.sandbox import Sandbox
from resources.sandbox.suiteprojects.switches import SuiteProjectsSwitches

Talk = Callable[..., list[etree._Element]]


def codes(blocks: list[etree._Element]) -> list[str]:
    """The statuses of the blocks."""
    return [block.get("status") for block in blocks]


def upsert(key: str, inside: str, attributes: str = "") -> str:
    """An Add of a customer with a look-up by external id."""
    customer = f"<Customer><externalid>{key}</externalid>{inside}</Customer>"
    return f'<Add type="Customer" lookup="externalid" {attributes}>{customer}</Add>'


def test_a_failed_record_stops_nothing_and_undoes_nothing(sandbox: Sandbox, talk: Talk) -> None:
    """One block per command, in order, no child where it failed (§1.4)."""
    blocks = talk(
        upsert("1", "<name>A</name>")
        + upsert("2", "")
        + upsert("3", "<name>C</name><currency>XXX</currency>")
        + upsert("4", "<company>D</company>")
    )

    assert codes(blocks) == ["0", "824", "837", "0"]
    assert [len(block) for block in blocks] == [1, 0, 0, 1]
    assert [row["name"] for row in sandbox.suiteprojects.rows("Customer")] == ["A", "D"]


def test_an_upsert_changes_only_what_it_names(sandbox: Sandbox, talk: Talk) -> None:
    """Exactly one match is an update; an empty element clears (§1.3)."""
    sandbox.suiteprojects.add("Customer", externalid="1", name="A", company="Long", notes="keep", addr_city="Wien")

    (block,) = talk(upsert("1", "<company/><addr><Address><zip>1010</zip></Address></addr>"))

    (row,) = sandbox.suiteprojects.rows("Customer")
    assert (row["name"], row["notes"], row["addr_city"], row["addr_zip"]) == ("A", "keep", "Wien", "1010")
    assert "company" not in row
    assert block.findtext("Customer/id") == row["id"]


def test_a_client_that_splits_an_address_loses_nothing(sandbox: Sandbox, talk: Talk) -> None:
    """Oaxmlapi writes one address element per part (§1.5)."""
    talk(
        upsert(
            "1",
            "<name>A</name><addr><Address><city>X</city></Address></addr><addr><Address><zip>1</zip></Address></addr>",
        )
    )

    (row,) = sandbox.suiteprojects.rows("Customer")
    assert (row["addr_city"], row["addr_zip"]) == ("X", "1")


@pytest.mark.parametrize(("several", "code", "count"), [("852", "852", 2), ("first", "0", 2), ("create", "0", 3)])
def test_several_matches_are_a_switch(sandbox: Sandbox, talk: Talk, several: str, code: str, count: int) -> None:
    """Nobody documents it (§1.3)."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, several_matches=several)
    sandbox.suiteprojects.add_many("Customer", [{"externalid": "1", "name": "A"}, {"externalid": "1", "name": "B"}])

    assert codes(talk(upsert("1", "<name>C</name>"))) == [code]
    assert len(sandbox.suiteprojects.rows("Customer")) == count


def test_modify_needs_an_id_that_is_there(sandbox: Sandbox, talk: Talk) -> None:
    """601 for none, a wrong one and a deleted one (§1.3)."""
    key = sandbox.suiteprojects.add("Customer", name="A")
    sandbox.suiteprojects.delete("Customer", key)

    inside = ("<name>B</name>", "<id>99</id>", f"<id>{key}</id>")
    blocks = talk("".join(f'<Modify type="Customer"><Customer>{each}</Customer></Modify>' for each in inside))

    assert codes(blocks) == ["601"] * 3


def test_related_records_are_looked_up(sandbox: Sandbox, talk: Talk) -> None:
    """By external id or by name; 910 when there is none, 916 when the type has no external id (§1.3)."""
    key = sandbox.suiteprojects.add("Customer", externalid="NS-1", name="Acme")
    ways = ('external="Customer">NS-1', 'name="Customer">Acme', 'external="Customer">NS-2', 'external="Currency">USD')

    blocks = talk(
        "".join(
            f'<Add type="Project"><Project><name>P</name><customerid {way}</customerid></Project></Add>' for way in ways
        )
    )

    assert codes(blocks) == ["0", "0", "910", "916"]
    assert blocks[0].findtext("Project/customerid") == str(key)


def test_an_object_that_others_need_is_not_deleted(sandbox: Sandbox, talk: Talk) -> None:
    """701 with the ids of the dependants; afterwards deleting is soft (§1.3, §5)."""
    customer = sandbox.suiteprojects.add("Customer", name="A")
    project = sandbox.suiteprojects.add("Project", name="P", customerid=str(customer))
    delete = '<Delete type="{0}"><{0}><id>{1}</id></{0}></Delete>'

    blocks = talk(
        delete.format("Customer", customer)
        + delete.format("Project", project)
        + delete.format("Customer", customer)
        + delete.format("Customer", customer)
        + delete.format("Hierarchy", 1)
    )

    assert codes(blocks) == ["701", "0", "0", "601", "603"]
    assert blocks[0].findtext("Project/id") == str(project)
    assert [row["name"] for row in sandbox.suiteprojects.rows("Customer", deleted=True)] == ["A"]


def test_contacts_and_projects_need_their_customer(talk: Talk) -> None:
    """801 without one, 859 when it is not there (§1.7)."""
    blocks = talk(
        '<Add type="Project"><Project><name>P</name></Project></Add>'
        '<Add type="Project"><Project><name>P</name><customerid>9</customerid></Project></Add>'
        '<Add type="Contact"><Contact><customerid>9</customerid></Contact></Add>'
    )

    assert codes(blocks) == ["801", "859", "859"]


def test_a_contact_needs_a_last_name(sandbox: Sandbox, talk: Talk) -> None:
    """907: addr is required, with `last` (§4)."""
    key = sandbox.suiteprojects.add("Customer", name="A")

    (block,) = talk(f'<Add type="Contact"><Contact><customerid>{key}</customerid></Contact></Add>')

    assert block.get("status") == "907"


def test_custom_fields_follow_their_definitions(sandbox: Sandbox, talk: Talk) -> None:
    """Only with enable_custom; length, list, checkbox and uniqueness are enforced (1100-1106)."""
    define = sandbox.suiteprojects.add_custom_field
    define("customer", "tick", picker="checkbox")
    define("customer", "colour", picker="dropdown", valuelist="red,blue")
    define("customer", "once", force_unique="1")
    sandbox.suiteprojects.add("Customer", name="A", once__c="7")
    custom = 'enable_custom="1"'

    blocks = talk(
        upsert("1", "<name>B</name><tick__c>1</tick__c>")
        + upsert("2", "<name>C</name><tick__c>yes</tick__c>", custom)
        + upsert("3", "<name>D</name><colour__c>green</colour__c>", custom)
        + upsert("4", "<name>E</name><once__c>7</once__c>", custom)
        + upsert("5", f"<name>F</name><netsuite_customer_id__c>{'9' * 21}</netsuite_customer_id__c>", custom)
        + upsert("6", "<name>G</name><tick__c>yes</tick__c><colour__c>green</colour__c>", custom)
        + upsert("7", "<name>H</name><colour__c>red</colour__c>", custom)
    )

    assert codes(blocks) == ["0", "1100", "1101", "1104", "1102", "1106", "0"]
    assert "tick__c" not in sandbox.suiteprojects.rows("Customer")[1]


def test_lengths_are_enforced_only_when_they_are_known(sandbox: Sandbox, talk: Talk) -> None:
    """Every length is [U]; some systems cut in silence (§4)."""
    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, strict_lengths={"Customer.name": 3})
    assert codes(talk(upsert("1", "<name>abcd</name>"))) == ["2001"]

    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, long_values="cut")

    assert talk(upsert("1", "<name>abcd</name>"))[0].findtext("Customer/name") == "abc"


def test_a_condition_keeps_a_newer_row(sandbox: Sandbox, talk: Talk) -> None:
    """ModifyOnCondition: 1200 when the row was changed after the date (§1.3)."""
    key = sandbox.suiteprojects.add("Customer", name="A")
    command = (
        '<ModifyOnCondition type="Customer" condition="if-not-updated">'
        f"<Customer><id>{key}</id><name>B</name></Customer>"
        "<Date><year>{year}</year><month>01</month><day>01</day></Date></ModifyOnCondition>"
    )

    assert codes(talk(command.format(year=2020) + command.format(year=2030))) == ["1200", "0"]


def test_dates_are_checked(sandbox: Sandbox, talk: Talk) -> None:
    """944, and a good one comes back as it was (§1.5)."""
    key = sandbox.suiteprojects.add("Customer", name="A")
    add = (
        '<Add type="Project"><Project><name>P</name><customerid>{}</customerid><start_date><Date>'
        "<year>2026</year><month>{}</month><day>31</day></Date></start_date></Project></Add>"
    )

    bad, good = talk(add.format(key, "02") + add.format(key, "03"))

    assert (bad.get("status"), good.get("status")) == ("944", "0")
    assert [good.findtext(f"Project/start_date/Date/{part}") for part in ("year", "month", "day")] == [
        "2026",
        "03",
        "31",
    ]


def test_several_objects_in_one_add_have_a_block_each(sandbox: Sandbox, talk: Talk) -> None:
    """The documentation allows it, no client does it: a switch (§10.12)."""
    add = '<Add type="Customer"><Customer><name>A</name></Customer><Customer><name>B</name></Customer></Add>'
    assert codes(talk(add)) == ["0", "0"]

    sandbox.switches.set("suiteprojects", SuiteProjectsSwitches, several_objects_per_add=False)

    assert codes(talk(add)) == ["3"]
