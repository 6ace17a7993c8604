"""Precoro's stand-in against the fact sheet, one fact a test (precoro.md)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from resources.sandbox.precoro.server import PrecoroSandbox
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox

OPTIONS = "/itemcustomfields/5144/options"


def create(http: httpx.Client, name: str, **form: Any) -> dict[str, Any]:
    """One option, created."""
    answer = http.post(OPTIONS, data={"name": name, **form})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def switch(sandbox: Sandbox, **values: Any) -> None:
    """Change switches of Precoro's stand-in."""
    sandbox.switches.set("precoro", PrecoroSwitches, **values)


@pytest.mark.parametrize("missing", ["X-AUTH-TOKEN", "email"])
def test_every_request_needs_both_headers(http: httpx.Client, missing: str) -> None:
    """§1: token and e-mail go with every request, else 401."""
    del http.headers[missing]

    assert http.get("/users").status_code == 401


def test_a_wrong_token_is_refused(http: httpx.Client) -> None:
    """§7.10: 401, nothing else."""
    assert http.get("/users", headers={"X-AUTH-TOKEN": "wrong"}).status_code == 401


def test_fields_come_with_their_options_nested(http: httpx.Client) -> None:
    """§7.1: the definition and `options.data`, foreign options included."""
    answer = http.get("/itemcustomfields", params={"page": 1, "per_page": 100}).json()

    field, unrelated = answer["data"]
    assert (field["id"], field["name"], field["enable"]) == (5144, "Customers/Projects", True)
    assert field["typeString"] == "Drop-down list"
    assert {option["externalId"] for option in field["options"]["data"]} == {None}
    assert unrelated["options"]["data"]
    assert http.get("/itemcustomfields/5144").json() == field


def test_a_create_answers_201_with_the_bare_option(http: httpx.Client) -> None:
    """§7.2: `id` at the top level, external id honoured, level 1."""
    made = create(http, "Acme Corp", enable="1", externalId="1001")

    assert isinstance(made.pop("id"), int)
    assert made == {
        "name": "Acme Corp",
        "code": None,
        "label": "Acme Corp",
        "level": 1,
        "enable": True,
        "externalId": "1001",
    }


def test_levels_follow_parents_down_to_five(http: httpx.Client) -> None:
    """§7.3 and §5: `parent[id]` is an option id; level 6 is refused."""
    option = create(http, "level 1")
    for level in range(2, 6):
        option = create(http, f"level {level}", **{"parent[id]": option["id"]})
        assert option["level"] == level

    refused = http.post(OPTIONS, data={"name": "level 6", "parent[id]": option["id"]})

    assert refused.status_code == 400
    assert list(refused.json()["errors"]["errors"]) == ["parent"]


def test_an_unknown_parent_is_refused(http: httpx.Client) -> None:
    """§7.3: 400 in the doubled envelope; an option of another field is no parent either."""
    foreign = http.get("/itemcustomfields").json()["data"][1]["options"]["data"][0]["id"]

    for parent in (999999, foreign):
        answer = http.post(OPTIONS, data={"name": "child", "parent[id]": parent})
        assert answer.status_code == 400
        assert answer.json() == {"errors": {"errors": {"parent": "Parent option not found"}}}


@pytest.mark.parametrize(("text", "truth"), [("1", True), ("0", False), ("True", True), ("false", False)])
def test_booleans_in_any_spelling(http: httpx.Client, text: str, truth: bool) -> None:  # noqa: FBT001 - a table of cases
    """§1: clients send 1/0, True/False and true/false."""
    assert create(http, "x", enable=text)["enable"] is truth


def test_json_bodies_work_unless_switched_off(http: httpx.Client, sandbox: Sandbox) -> None:
    """§1: JSON for options is unknown, so it is a switch."""
    parent = create(http, "parent")["id"]

    made = http.post(OPTIONS, json={"name": "x", "enable": False, "parent": {"id": parent}}).json()
    switch(sandbox, json_bodies=False)

    assert (made["enable"], made["level"]) == (False, 2)
    assert http.post(OPTIONS, json={"name": "x"}).status_code == 400


@pytest.mark.parametrize(("length", "status"), [(256, 201), (257, 400)])
def test_names_may_have_256_characters(http: httpx.Client, length: int, status: int) -> None:
    """§7.8: characters, not bytes."""
    answer = http.post(OPTIONS, data={"name": "ü" * length})

    assert answer.status_code == status
    assert status == 201 or answer.json() == {"errors": {"errors": {"name": "This value is too long."}}}


def test_the_name_limit_and_the_status_are_switches(http: httpx.Client, sandbox: Sandbox) -> None:
    """§5: a limit of 255 would refuse NetSuite's longest project name; §4: 400 or 422."""
    switch(sandbox, name_limit=255, refused_status=422)

    assert http.post(OPTIONS, data={"name": "x" * 256}).status_code == 422


def test_a_tolerant_put_keeps_what_is_not_named(http: httpx.Client) -> None:
    """§5: hotglue sends partial PUTs in production."""
    parent = create(http, "parent")
    child = create(http, "child", code="7", externalId="9", **{"parent[id]": parent["id"]})

    renamed = http.put(f"{OPTIONS}/{child['id']}", data={"name": "renamed"}).json()

    assert renamed == child | {"name": "renamed", "label": "7 renamed"}


def test_a_strict_put_resets_what_is_not_named(http: httpx.Client, sandbox: Sandbox) -> None:
    """§5: with a full replace, a missing enable disables and a missing parent moves to the top."""
    switch(sandbox, strict_put=True)
    parent = create(http, "parent")
    child = create(http, "child", code="7", externalId="9", enable="1", **{"parent[id]": parent["id"]})

    reset = http.put(f"{OPTIONS}/{child['id']}", data={"name": "renamed"}).json()

    assert (reset["code"], reset["enable"], reset["externalId"], reset["level"]) == (None, False, None, 1)


def test_patch_sets_the_external_id_and_nothing_else(http: httpx.Client) -> None:
    """§7.4."""
    made = create(http, "x", enable="0", code="c")

    patched = http.patch(f"{OPTIONS}/{made['id']}", data={"externalId": "3001"}).json()

    assert patched == made | {"externalId": "3001"}


def test_a_moved_option_takes_its_children_along(
    http: httpx.Client, sandbox: Sandbox, stand_in: PrecoroSandbox
) -> None:
    """§12.9 is unknown: moved by default, ignored by switch; never below itself."""
    top, other = create(http, "top"), create(http, "other")
    project = create(http, "project", **{"parent[id]": top["id"]})
    phase = create(http, "phase", **{"parent[id]": project["id"]})

    loop = http.put(f"{OPTIONS}/{top['id']}", data={"name": "top", "parent[id]": phase["id"]})
    http.put(f"{OPTIONS}/{top['id']}", data={"name": "top", "parent[id]": other["id"]})
    switch(sandbox, put_can_move_parent=False)
    http.put(f"{OPTIONS}/{project['id']}", data={"name": "project", "parent[id]": other["id"]})

    levels = {row["option_id"]: row["level"] for row in stand_in.options()}
    assert loop.status_code == 400
    assert (levels[top["id"]], levels[project["id"]], levels[phase["id"]]) == (2, 3, 4)


def test_options_cannot_be_deleted(http: httpx.Client) -> None:
    """§5: no client has a delete; 405."""
    made = create(http, "x")

    assert http.delete(f"{OPTIONS}/{made['id']}").status_code == 405


@pytest.mark.parametrize(
    ("dialect", "present", "absent"),
    [
        ("both", {"total_pages", "has_next_page"}, set()),
        ("old", {"total_pages", "total", "current_page"}, {"has_next_page"}),
        ("new", {"has_next_page"}, {"total_pages", "total", "current_page"}),
    ],
)
def test_paging_speaks_both_dialects(
    http: httpx.Client, sandbox: Sandbox, dialect: str, present: set[str], absent: set[str]
) -> None:
    """§2: has_next_page in newer answers, total_pages in older ones."""
    switch(sandbox, pagination=dialect)

    paging = http.get(OPTIONS, params={"page": 1, "per_page": 10}).json()["meta"]["pagination"]

    assert present <= paging.keys()
    assert not absent & paging.keys()


def test_pages_are_cut_by_per_page(http: httpx.Client) -> None:
    """§2: 10, 20, 50, 100, 200 a page; `last` is a page; a list ends."""
    for number in range(22):
        create(http, f"option {number}")

    first, second, last = (
        http.get(OPTIONS, params={"page": page, "per_page": 10}).json() for page in ("1", "2", "last")
    )

    assert [len(page["data"]) for page in (first, second, last)] == [10, 10, 5]
    assert first["meta"]["pagination"]["has_next_page"]
    assert not last["meta"]["pagination"]["has_next_page"]
    assert http.get(OPTIONS, params={"per_page": 7}).status_code == 400


def test_options_may_come_unpaged(http: httpx.Client, sandbox: Sandbox) -> None:
    """§5 row 3: hotglue reads only the first answer."""
    switch(sandbox, options_paged=False)

    assert http.get(OPTIONS).json().keys() == {"data"}


def test_disabled_options_may_be_left_out_when_nested(http: httpx.Client, sandbox: Sandbox) -> None:
    """§7.1: unknown, hence a switch."""
    switch(sandbox, nested_disabled="omit")

    nested = http.get("/itemcustomfields/5144").json()["options"]["data"]

    assert all(option["enable"] for option in nested)
    assert len(nested) < len(http.get(OPTIONS).json()["data"])


def test_a_post_may_ignore_the_external_id(http: httpx.Client, sandbox: Sandbox) -> None:
    """§7.2: hotglue's ordinary mode patches it afterwards."""
    switch(sandbox, post_external_id="ignore")

    assert create(http, "x", externalId="1001")["externalId"] is None


def test_external_ids_may_repeat_unless_switched_off(http: httpx.Client, sandbox: Sandbox) -> None:
    """§5: uniqueness is unknown; an option keeps its own."""
    made = create(http, "x", externalId="1")
    create(http, "y", externalId="1")
    switch(sandbox, unique_external_id=True)

    assert http.post(OPTIONS, data={"name": "z", "externalId": "1"}).status_code == 400
    assert http.patch(f"{OPTIONS}/{made['id']}", data={"externalId": "2"}).status_code == 200
    assert http.put(f"{OPTIONS}/{made['id']}", data={"name": "x", "externalId": "2"}).status_code == 200


def test_a_parent_in_answers_is_a_switch(http: httpx.Client, sandbox: Sandbox) -> None:
    """§5 and §1: not in the SDK's type; a null object may come as []."""
    switch(sandbox, parent_in_answers=True)
    top = create(http, "top")

    assert top["parent"] == []
    assert create(http, "child", **{"parent[id]": top["id"]})["parent"] == {"id": top["id"]}


@pytest.mark.parametrize("entities", ["27377", "[27377, 27378]"])
def test_options_are_tied_to_legal_entities(http: httpx.Client, stand_in: PrecoroSandbox, entities: str) -> None:
    """§7.11: hotglue's parameter names; one id or a list in one string; undone by depend_remove."""
    option_id = create(http, "x")["id"]
    form = {"item_custom_field_option_id": option_id, "depend_type": 1, "entity_ids": entities}

    added = http.patch("/itemcustomfields/options/depend_add", data=form)
    tied = stand_in.dependencies()
    http.patch("/itemcustomfields/options/depend_remove", data=form)

    assert added.status_code == 200
    assert [row["entity_id"] for row in tied] == entities.strip("[]").split(", ")
    assert not stand_in.dependencies()


def test_legal_entities_come_without_meta(http: httpx.Client) -> None:
    """§2: and take an external id (§6)."""
    listed = http.get("/legalentities").json()
    entity_id = listed["data"][0]["id"]

    http.patch(f"/legalentities/{entity_id}", data={"externalId": "sub-1"})

    assert listed.keys() == {"data"}
    assert http.get("/legalentities").json()["data"][0]["externalId"] == "sub-1"


@pytest.mark.parametrize("kind", ["documentcustomfields", "suppliercustomfields"])
def test_the_other_custom_fields_behave_alike(http: httpx.Client, kind: str) -> None:
    """§5: `{cf}` is one of three."""
    field_id = http.get(f"/{kind}").json()["data"][0]["id"]

    assert http.post(f"/{kind}/{field_id}/options", data={"name": "EMEA"}).status_code == 201
    assert http.get(f"/{kind}/{field_id}/options").json()["data"][0]["name"] == "EMEA"
    assert http.get(f"/itemcustomfields/{field_id}").status_code == 404


def test_companies_do_not_see_each_other(http: httpx.Client, stand_in: PrecoroSandbox) -> None:
    """§1: one token for each company."""
    other = stand_in.add_company("Millpond UK")
    answer = http.get("/itemcustomfields", headers={"X-AUTH-TOKEN": other["token"]}).json()

    assert answer["data"][0]["id"] == other["item_custom_field_id"]
    assert http.get(f"/itemcustomfields/{other['item_custom_field_id']}").status_code == 404


def test_people_edit_behind_the_api(http: httpx.Client, stand_in: PrecoroSandbox) -> None:
    """A hand edit shows in the API, costs no call, and takes children away with their parent."""
    top = create(http, "top")
    child = create(http, "child", **{"parent[id]": top["id"]})
    made = stand_in.calls_made()

    stand_in.edit_option(child["id"], name="by hand", enable=False)
    by_hand = http.get(OPTIONS, params={"per_page": 100}).json()["data"][-1]
    stand_in.remove_option(top["id"])

    assert (by_hand["name"], by_hand["enable"]) == ("by hand", False)
    assert {row["option_id"] for row in stand_in.options()}.isdisjoint({top["id"], child["id"]})
    assert stand_in.calls_made() == made + 1
    assert stand_in.write_calls() == 2
    with pytest.raises(ValueError, match="colour"):
        stand_in.edit_option(child["id"], colour="red")


def test_parallel_writes_are_all_kept(http: httpx.Client, stand_in: PrecoroSandbox) -> None:
    """One transaction a request: nothing is lost and no id is given twice."""
    before = len(stand_in.options())
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: create(http, f"option {number}")["id"], range(40)))

    assert len(set(made)) == 40
    assert len(stand_in.options()) == before + 40


def test_two_openers_see_one_state(http: httpx.Client, sandbox: Sandbox) -> None:
    """State lives in the folder, so any number of processes share it."""
    create(http, "x")

    again = Sandbox(sandbox.folder).precoro

    assert [row["name"] for row in again.options()] == [row["name"] for row in sandbox.precoro.options()]
