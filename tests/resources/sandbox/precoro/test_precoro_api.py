"""The simulated Precoro and the fact sheet precoro.md, one fact per test."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from resources.sandbox.precoro.server import PrecoroSandbox
from resources.sandbox.precoro.switches import PrecoroSwitches
from resources.sandbox.sandbox import Sandbox

OPTIONS = "/itemcustomfields/5144/options"


def create(http: httpx.Client, name: str, **form: Any) -> dict[str, Any]:
    """Create an option and return it."""
    response = http.post(OPTIONS, data={"name": name, **form})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


def switch(sandbox: Sandbox, **values: Any) -> None:
    """Change switches of the simulated Precoro."""
    sandbox.switches.set("precoro", PrecoroSwitches, **values)


@pytest.mark.parametrize("missing", ["X-AUTH-TOKEN", "email"])
def test_every_request_needs_both_headers(http: httpx.Client, missing: str) -> None:
    """§1: token and email are required with each request, otherwise 401."""
    del http.headers[missing]

    assert http.get("/users").status_code == 401


def test_a_wrong_token_is_rejected(http: httpx.Client) -> None:
    """§7.10: 401."""
    assert http.get("/users", headers={"X-AUTH-TOKEN": "wrong"}).status_code == 401


def test_fields_include_their_options(http: httpx.Client) -> None:
    """§7.1: the definition and `options.data`, manually created options included."""
    response = http.get("/itemcustomfields", params={"page": 1, "per_page": 100}).json()

    field, unrelated = response["data"]
    assert (field["id"], field["name"], field["enable"]) == (5144, "Customers/Projects", True)
    assert field["typeString"] == "Drop-down list"
    assert {option["externalId"] for option in field["options"]["data"]} == {None}
    assert unrelated["options"]["data"]
    assert http.get("/itemcustomfields/5144").json() == field


def test_a_create_returns_201_with_the_option(http: httpx.Client) -> None:
    """§7.2: `id` at the top level, externalId accepted, level 1."""
    created = create(http, "Acme Corp", enable="1", externalId="1001")

    assert isinstance(created.pop("id"), int)
    assert created == {
        "name": "Acme Corp",
        "code": None,
        "label": "Acme Corp",
        "level": 1,
        "enable": True,
        "externalId": "1001",
    }


def test_options_have_at_most_five_levels(http: httpx.Client) -> None:
    """§7.3 and §5: `parent[id]` is an option id; level 6 is rejected."""
    option = create(http, "level 1")
    for level in range(2, 6):
        option = create(http, f"level {level}", **{"parent[id]": option["id"]})
        assert option["level"] == level

    rejected = http.post(OPTIONS, data={"name": "level 6", "parent[id]": option["id"]})

    assert rejected.status_code == 400
    assert list(rejected.json()["errors"]["errors"]) == ["parent"]


def test_an_unknown_parent_is_rejected(http: httpx.Client) -> None:
    """§7.3: 400 with the nested `errors`; an option of another field cannot be a parent either."""
    other_field = http.get("/itemcustomfields").json()["data"][1]["options"]["data"][0]["id"]

    for parent in (999999, other_field):
        response = http.post(OPTIONS, data={"name": "child", "parent[id]": parent})
        assert response.status_code == 400
        assert response.json() == {"errors": {"errors": {"parent": "Parent option not found"}}}


@pytest.mark.parametrize(("text", "truth"), [("1", True), ("0", False), ("True", True), ("false", False)])
def test_booleans_have_several_spellings(http: httpx.Client, text: str, truth: bool) -> None:  # noqa: FBT001 - a table of cases
    """§1: clients send 1/0, True/False and true/false."""
    assert create(http, "x", enable=text)["enable"] is truth


def test_json_bodies_can_be_disabled(http: httpx.Client, sandbox: Sandbox) -> None:
    """§1: it is unknown whether options accept JSON, so it is a switch."""
    parent = create(http, "parent")["id"]

    created = http.post(OPTIONS, json={"name": "x", "enable": False, "parent": {"id": parent}}).json()
    switch(sandbox, json_bodies=False)

    assert (created["enable"], created["level"]) == (False, 2)
    assert http.post(OPTIONS, json={"name": "x"}).status_code == 400


@pytest.mark.parametrize(("length", "status"), [(256, 201), (257, 400)])
def test_names_may_have_256_characters(http: httpx.Client, length: int, status: int) -> None:
    """§7.8: characters, not bytes."""
    response = http.post(OPTIONS, data={"name": "ü" * length})

    assert response.status_code == status
    assert status == 201 or response.json() == {"errors": {"errors": {"name": "This value is too long."}}}


def test_the_name_limit_and_the_status_are_switches(http: httpx.Client, sandbox: Sandbox) -> None:
    """§5: a limit of 255 would reject NetSuite's longest project name; §4: 400 or 422."""
    switch(sandbox, name_limit=255, validation_status=422)

    assert http.post(OPTIONS, data={"name": "x" * 256}).status_code == 422


def test_a_put_keeps_omitted_values_by_default(http: httpx.Client) -> None:
    """§5: hotglue sends partial PUTs in production."""
    parent = create(http, "parent")
    child = create(http, "child", code="7", externalId="9", **{"parent[id]": parent["id"]})

    renamed = http.put(f"{OPTIONS}/{child['id']}", data={"name": "renamed"}).json()

    assert renamed == child | {"name": "renamed", "label": "7 renamed"}


def test_a_strict_put_resets_omitted_values(http: httpx.Client, sandbox: Sandbox) -> None:
    """§5: in a full replacement, a missing enable disables and a missing parent moves to the top level."""
    switch(sandbox, strict_put=True)
    parent = create(http, "parent")
    child = create(http, "child", code="7", externalId="9", enable="1", **{"parent[id]": parent["id"]})

    reset = http.put(f"{OPTIONS}/{child['id']}", data={"name": "renamed"}).json()

    assert (reset["code"], reset["enable"], reset["externalId"], reset["level"]) == (None, False, None, 1)


def test_patch_sets_the_external_id_only(http: httpx.Client) -> None:
    """§7.4."""
    created = create(http, "x", enable="0", code="c")

    patched = http.patch(f"{OPTIONS}/{created['id']}", data={"externalId": "3001"}).json()

    assert patched == created | {"externalId": "3001"}


def test_a_moved_option_moves_its_children(http: httpx.Client, sandbox: Sandbox, service: PrecoroSandbox) -> None:
    """§12.9 is unknown: moved by default, ignored with a switch; never below itself."""
    top, other = create(http, "top"), create(http, "other")
    project = create(http, "project", **{"parent[id]": top["id"]})
    phase = create(http, "phase", **{"parent[id]": project["id"]})

    cycle = http.put(f"{OPTIONS}/{top['id']}", data={"name": "top", "parent[id]": phase["id"]})
    http.put(f"{OPTIONS}/{top['id']}", data={"name": "top", "parent[id]": other["id"]})
    switch(sandbox, put_can_move_parent=False)
    http.put(f"{OPTIONS}/{project['id']}", data={"name": "project", "parent[id]": other["id"]})

    levels = {row["option_id"]: row["level"] for row in service.options()}
    assert cycle.status_code == 400
    assert (levels[top["id"]], levels[project["id"]], levels[phase["id"]]) == (2, 3, 4)


def test_options_cannot_be_deleted(http: httpx.Client) -> None:
    """§5: no client deletes options; 405."""
    created = create(http, "x")

    assert http.delete(f"{OPTIONS}/{created['id']}").status_code == 405


@pytest.mark.parametrize(
    ("keys", "present", "absent"),
    [
        ("both", {"total_pages", "has_next_page"}, set()),
        ("old", {"total_pages", "total", "current_page"}, {"has_next_page"}),
        ("new", {"has_next_page"}, {"total_pages", "total", "current_page"}),
    ],
)
def test_paging_has_old_and_new_keys(
    http: httpx.Client, sandbox: Sandbox, keys: str, present: set[str], absent: set[str]
) -> None:
    """§2: has_next_page in newer responses, total_pages in older ones."""
    switch(sandbox, pagination=keys)

    paging = http.get(OPTIONS, params={"page": 1, "per_page": 10}).json()["meta"]["pagination"]

    assert present <= paging.keys()
    assert not absent & paging.keys()


def test_pages_have_per_page_records(http: httpx.Client) -> None:
    """§2: 10, 20, 50, 100 or 200 per page; `last` is a page; lists end."""
    for number in range(22):
        create(http, f"option {number}")

    first, second, last = (
        http.get(OPTIONS, params={"page": page, "per_page": 10}).json() for page in ("1", "2", "last")
    )

    assert [len(page["data"]) for page in (first, second, last)] == [10, 10, 5]
    assert first["meta"]["pagination"]["has_next_page"]
    assert not last["meta"]["pagination"]["has_next_page"]
    assert http.get(OPTIONS, params={"per_page": 7}).status_code == 400


def test_options_may_be_unpaged(http: httpx.Client, sandbox: Sandbox) -> None:
    """§5 row 3: hotglue reads only the first response."""
    switch(sandbox, options_paged=False)

    assert http.get(OPTIONS).json().keys() == {"data"}


def test_fields_may_omit_disabled_options(http: httpx.Client, sandbox: Sandbox) -> None:
    """§7.1: unknown, therefore a switch."""
    switch(sandbox, nested_disabled="omit")

    nested = http.get("/itemcustomfields/5144").json()["options"]["data"]

    assert all(option["enable"] for option in nested)
    assert len(nested) < len(http.get(OPTIONS).json()["data"])


def test_a_post_may_ignore_the_external_id(http: httpx.Client, sandbox: Sandbox) -> None:
    """§7.2: hotglue usually sets it with a PATCH afterwards."""
    switch(sandbox, post_external_id="ignore")

    assert create(http, "x", externalId="1001")["externalId"] is None


def test_external_ids_may_be_required_to_be_unique(http: httpx.Client, sandbox: Sandbox) -> None:
    """§5: uniqueness is unknown; an option may keep its own."""
    created = create(http, "x", externalId="1")
    create(http, "y", externalId="1")
    switch(sandbox, unique_external_id=True)

    assert http.post(OPTIONS, data={"name": "z", "externalId": "1"}).status_code == 400
    assert http.patch(f"{OPTIONS}/{created['id']}", data={"externalId": "2"}).status_code == 200
    assert http.put(f"{OPTIONS}/{created['id']}", data={"name": "x", "externalId": "2"}).status_code == 200


def test_a_parent_in_responses_is_a_switch(http: httpx.Client, sandbox: Sandbox) -> None:
    """§5 and §1: not in the SDK's type; a null object may be []."""
    switch(sandbox, parent_in_responses=True)
    top = create(http, "top")

    assert top["parent"] == []
    assert create(http, "child", **{"parent[id]": top["id"]})["parent"] == {"id": top["id"]}


@pytest.mark.parametrize("entities", ["27377", "[27377, 27378]"])
def test_options_may_depend_on_legal_entities(http: httpx.Client, service: PrecoroSandbox, entities: str) -> None:
    """§7.11: hotglue's parameter names; one id or a list in one string; depend_remove undoes it."""
    option_id = create(http, "x")["id"]
    form = {"item_custom_field_option_id": option_id, "depend_type": 1, "entity_ids": entities}

    added = http.patch("/itemcustomfields/options/depend_add", data=form)
    dependencies = service.dependencies()
    http.patch("/itemcustomfields/options/depend_remove", data=form)

    assert added.status_code == 200
    assert [row["entity_id"] for row in dependencies] == entities.strip("[]").split(", ")
    assert not service.dependencies()


def test_legal_entities_have_no_meta(http: httpx.Client) -> None:
    """§2; they accept an external id (§6)."""
    listed = http.get("/legalentities").json()
    entity_id = listed["data"][0]["id"]

    http.patch(f"/legalentities/{entity_id}", data={"externalId": "sub-1"})

    assert listed.keys() == {"data"}
    assert http.get("/legalentities").json()["data"][0]["externalId"] == "sub-1"


@pytest.mark.parametrize("kind", ["documentcustomfields", "suppliercustomfields"])
def test_the_other_custom_fields_behave_the_same(http: httpx.Client, kind: str) -> None:
    """§5: `{cf}` is one of three."""
    field_id = http.get(f"/{kind}").json()["data"][0]["id"]

    assert http.post(f"/{kind}/{field_id}/options", data={"name": "EMEA"}).status_code == 201
    assert http.get(f"/{kind}/{field_id}/options").json()["data"][0]["name"] == "EMEA"
    assert http.get(f"/itemcustomfields/{field_id}").status_code == 404


def test_companies_do_not_see_each_other(http: httpx.Client, service: PrecoroSandbox) -> None:
    """§1: each company has its own token."""
    other = service.add_company("Millpond UK")
    response = http.get("/itemcustomfields", headers={"X-AUTH-TOKEN": other["token"]}).json()

    assert response["data"][0]["id"] == other["item_custom_field_id"]
    assert http.get(f"/itemcustomfields/{other['item_custom_field_id']}").status_code == 404


def test_ui_actions_bypass_the_api(http: httpx.Client, service: PrecoroSandbox) -> None:
    """A manual edit is visible in the API, counts as no request, and removes children with their parent."""
    top = create(http, "top")
    child = create(http, "child", **{"parent[id]": top["id"]})
    created = service.calls_made()

    service.edit_option(child["id"], name="edited", enable=False)
    edited = http.get(OPTIONS, params={"per_page": 100}).json()["data"][-1]
    service.remove_option(top["id"])

    assert (edited["name"], edited["enable"]) == ("edited", False)
    assert {row["option_id"] for row in service.options()}.isdisjoint({top["id"], child["id"]})
    assert service.calls_made() == created + 1
    assert service.write_calls() == 2
    with pytest.raises(ValueError, match="color"):
        service.edit_option(child["id"], color="red")


def test_no_parallel_write_is_lost(http: httpx.Client, service: PrecoroSandbox) -> None:
    """One transaction per request: no id is assigned twice."""
    before = len(service.options())
    with ThreadPoolExecutor(4) as pool:
        created = list(pool.map(lambda number: create(http, f"option {number}")["id"], range(40)))

    assert len(set(created)) == 40
    assert len(service.options()) == before + 40


def test_two_sandboxes_of_a_folder_share_its_state(http: httpx.Client, sandbox: Sandbox) -> None:
    """State is in the folder, so any number of processes share it."""
    create(http, "x")

    again = Sandbox(sandbox.folder).precoro

    assert [row["name"] for row in again.options()] == [row["name"] for row in sandbox.precoro.options()]
