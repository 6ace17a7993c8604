"""Fields, options, pages and limits in any form are read alike; what a response does not contain is never guessed."""

from typing import Any

import httpx
import pytest

from resources.errors import ContractError
from resources.precoro.client import PrecoroClient
from resources.precoro.pages import read_all
from resources.precoro.records import CustomField, Option, candidates, custom_field, options_of, written_option
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox

FIELD = 5144
FULL = {"id": 7, "name": "A", "code": "c", "label": "c A", "level": 2, "enable": True, "externalId": "9"}
READ = Option(7, "A", "c", True, "9", 2)

OPTION_FORMS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"name": 12}, {"name": "12"}),
    ({"name": None}, {"name": ""}),
    ({"code": 5}, {"code": "5"}),
    ({"code": ""}, {"code": None}),
    ({"code": None}, {"code": None}),
    ({"code": ["x"]}, {"code": None}),
    ({"enable": 1}, {}),
    ({"enable": "1"}, {}),
    ({"enable": "true"}, {}),
    ({"enable": "True"}, {}),
    ({"enable": "T"}, {}),
    ({"enable": 0}, {"enable": False}),
    ({"enable": "0"}, {"enable": False}),
    ({"enable": "false"}, {"enable": False}),
    ({"externalId": 9}, {}),
    ({"externalId": 9.0}, {}),
    ({"externalId": ""}, {"external_id": None}),
    ({"externalId": None}, {"external_id": None}),
    ({"externalId": []}, {"external_id": None}),
    ({"externalId": False}, {"external_id": None}),
    ({"level": "2"}, {}),
    ({"level": None}, {"level": None}),
    ({"level": "two"}, {"level": None}),
    ({"parent": {"id": 3}}, {"parent_id": 3, "has_parent_info": True}),
    ({"parent": {"id": "3"}}, {"parent_id": 3, "has_parent_info": True}),
    ({"parent": {"data": {"id": 3}}}, {"parent_id": 3, "has_parent_info": True}),
    ({"parent": {"data": []}}, {"parent_id": None, "has_parent_info": True}),
    ({"parent": 3}, {"parent_id": 3, "has_parent_info": True}),
    ({"parent": []}, {"parent_id": None, "has_parent_info": True}),
    ({"parent": None}, {"parent_id": None, "has_parent_info": True}),
    ({"parent": 0}, {"parent_id": None, "has_parent_info": True}),
    ({"parent": "0"}, {"parent_id": None, "has_parent_info": True}),
    ({"parent": {"id": 0}}, {"parent_id": None, "has_parent_info": True}),
    ({"parent": {"name": "B"}}, {"parent_id": None, "has_parent_info": False}),
    ({"updateDate": None}, {}),
    ({"somethingNew": {"a": [1]}}, {}),
]


@pytest.mark.parametrize(("changes", "expected"), OPTION_FORMS)
def test_an_option_in_any_form_is_read(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """Absent, null, blank, of another type, or with more than is known."""
    (option,) = options_of([{**FULL, **changes}], "list")

    wanted = {name: getattr(READ, name) for name in Option.__slots__} | expected
    assert {name: getattr(option, name) for name in Option.__slots__} == wanted


@pytest.mark.parametrize("value", [True, ["9"], {"value": "9"}])
def test_a_key_in_an_unknown_form_is_not_taken_for_a_blank(value: Any) -> None:
    """An option whose key is not known would be created a second time."""
    with pytest.raises(ContractError, match="option 7: `externalId` is neither text nor number"):
        options_of([{**FULL, "externalId": value}], "list")


@pytest.mark.parametrize("left_out", ["name", "code", "label", "level", "externalId"])
def test_a_key_that_is_left_out_is_blank(left_out: str) -> None:
    """A list without an explicit null leaves blanks out."""
    (option,) = options_of([{name: value for name, value in FULL.items() if name != left_out}], "list")

    assert option.option_id == 7


def test_the_state_of_an_option_is_not_guessed() -> None:
    """False is left out if only true is written; otherwise a missing state is an error that names the option."""
    without = {name: value for name, value in FULL.items() if name != "enable"}

    assert [each.enable for each in options_of([FULL, {**without, "id": 8}], "list")] == [True, False]
    for listed in ([without], [{**FULL, "enable": False}, without], [FULL, {**FULL, "enable": 0}, without]):
        with pytest.raises(ContractError, match="option 7 without `enable`"):
            options_of(listed, "list")


def test_a_list_without_external_ids_is_an_error() -> None:
    """Every option would look foreign, and be created a second time."""
    without = {"id": 7, "name": "A", "code": None, "enable": True}

    with pytest.raises(ContractError, match="externalId"):
        options_of([without], "list")


@pytest.mark.parametrize("blank", [None, ""])
def test_an_option_that_does_not_show_its_external_id_is_not_foreign(blank: str | None) -> None:
    """Others show theirs even if it is blank, so this one was cut, or hidden."""
    without = {name: value for name, value in FULL.items() if name != "externalId"}
    keyless = {**FULL, "id": 8, "externalId": blank}

    with pytest.raises(ContractError, match="option 7 without `externalId`"):
        options_of([keyless, without], "list")
    assert [each.external_id for each in options_of([{**FULL, "id": 8}, without], "list")] == ["9", None]


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        ({"id": 7}, False),
        ({"id": "7"}, False),
        ({"data": {"id": 7}}, False),
        ({"id": 7, "name": None, "enable": None}, False),
        ({"id": 7, "name": "A", "enable": "0", "externalId": 9}, True),
    ],
)
def test_an_answer_to_a_write_needs_only_the_id(answer: Any, whole: bool) -> None:  # noqa: FBT001 - a case
    """precoro.md §5: the rest was not seen in production; the external id counts only if it is returned."""
    option = written_option(answer, {"name": "A", "enable": "0", "externalId": "9"}, "create option")

    assert (option.option_id, option.name, option.enable, option.is_whole) == (7, "A", False, whole)
    assert option.external_id == ("9" if whole else None)


@pytest.mark.parametrize("answer", [None, [], "7", {}, {"id": None}, {"id": "x"}, {"id": True}])
def test_an_answer_without_an_id_is_unusable(answer: Any) -> None:
    """It identifies no option."""
    with pytest.raises(ContractError):
        written_option(answer, {"name": "A"}, "create option")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, CustomField(5, "Projects", True, "Drop-down list")),
        ({"name": None}, CustomField(5, "", True, "Drop-down list")),
        ({"enable": "1"}, CustomField(5, "Projects", True, "Drop-down list")),
        ({"enable": "false"}, CustomField(5, "Projects", False, "Drop-down list")),
        ({"enable": 0}, CustomField(5, "Projects", False, "Drop-down list")),
        ({"enable": None}, CustomField(5, "Projects", True, "Drop-down list")),
        ({"typeString": None}, CustomField(5, "Projects", True, "")),
        ({"typeString": 3}, CustomField(5, "Projects", True, "")),
    ],
)
def test_a_field_in_any_form_is_read(changes: dict[str, Any], expected: CustomField) -> None:
    """One odd definition does not hide the others."""
    assert (
        custom_field({"id": 5, "name": "Projects", "enable": True, "typeString": "Drop-down list", **changes})
        == expected
    )


@pytest.mark.parametrize(
    ("type_text", "takes"),
    [("Drop-down list", True), ("Dropdown", True), ("drop down", True), ("", True), ("Liste déroulante", True),
     ("Text", False), ("Date", False)],
)  # fmt: skip
def test_only_a_field_of_another_known_type_is_refused(type_text: str, takes: bool) -> None:  # noqa: FBT001 - a case
    """The names of types may be spelled otherwise, or translated."""
    assert CustomField(5, "Projects", True, type_text).takes_options is takes


def test_a_disabled_field_of_the_same_name_is_no_candidate() -> None:
    """Nor is a field that has another one's id as its name."""
    old, new = CustomField(1, "Projects", False, ""), CustomField(2, "Projects", True, "")
    named = CustomField(3, "2", True, "")

    assert candidates([old, new], "Projects") == candidates([new, old], "Projects") == [new]
    assert candidates([old], "Projects") == [old]
    assert candidates([old, new, named], "2") == [new]
    assert candidates([old, new, CustomField(4, "Projects", True, "")], "Projects")[1].field_id == 4


@pytest.mark.parametrize("types", ["json", "text", "digits"])
@pytest.mark.parametrize("nulls", ["null", "absent"])
@pytest.mark.parametrize("pagination", ["old", "new"])
def test_a_company_reads_the_same_in_every_dialect(
    precoro: PrecoroClient, sandbox: Sandbox, types: str, nulls: str, pagination: str
) -> None:
    """Numbers and flags in any type, blanks as null or left out, on three pages."""
    for number in range(401):
        sandbox.precoro.add_option(f"option {number}", external_id=str(number) if number % 2 else None)
    expected = precoro.fields(), precoro.options(FIELD)
    sandbox.clock.sleep(61)
    sandbox.switches.set("precoro", PrecoroSwitches, value_types=types, null_values=nulls, pagination=pagination)

    assert (precoro.fields(), precoro.options(FIELD)) == expected


def page(records: Any, **paging: Any) -> dict[str, Any]:
    """Return one response."""
    return {"data": records, "meta": {"pagination": paging}}


TWO = [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize(
    "pages",
    [
        [page(TWO, total="2", total_pages="1")],
        [page([{"id": "1"}, {"id": "2"}], has_next_page="false")],
        [page([{"id": 1}], has_next_page="1"), page([{"id": 2}], has_next_page="0")],
        [page([{"id": 1}], has_next_page=None, total_pages=2), page([{"id": 2}], total_pages=2)],
        [page({"0": {"id": 1}, "3": {"id": 2}}, has_next_page=False)],
        [page([*TWO, {"id": 2}], has_next_page=False, total=3)],
        [page([*TWO, {"id": 2}], has_next_page=False, total=2)],
        [{"data": TWO, "meta": None}],
        [{"data": TWO, "meta": {"pagination": None}}],
        [{"data": TWO, "meta": {"pagination": {"total": None, "total_pages": "none"}}, "links": []}],
    ],
)
def test_a_list_in_any_form_is_read(pages: list[Any]) -> None:
    """Paging keys in any type; a record that is listed twice counts once."""
    assert read_all(lambda number: pages[number - 1], "list") == TWO


def test_an_empty_list_may_be_null() -> None:
    """If its total says so."""
    assert read_all(lambda _: page(None, total=0), "list") == []
    with pytest.raises(ContractError):
        read_all(lambda _: page(None), "list")


def test_the_client_sends_what_is_documented(precoro: PrecoroClient, sandbox: Sandbox) -> None:
    """A form with flags as 1 and 0, and keys in brackets (precoro.md §1)."""
    parent = precoro.create_option(FIELD, {"name": "A & B", "enable": "1", "externalId": "1"})
    precoro.replace_option(FIELD, parent.option_id, {"name": "Ö", "enable": "0", "code": "", "parent[id]": ""})

    sent = [httpx.QueryParams(call["body"]).multi_items() for call in sandbox.precoro.call_log()]
    assert sent == [
        [("name", "A & B"), ("enable", "1"), ("externalId", "1")],
        [("name", "Ö"), ("enable", "0"), ("code", ""), ("parent[id]", "")],
    ]
