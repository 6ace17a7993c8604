"""Import, Update and the import selection: one scenario per row of the feature table, with the shipped workflow."""

import polars as pl
import pytest

from assets.delivery.imports.selection import SelectionError, deselect_records
from assets.delivery.plan.mode import Mode
from resources.clock import utc_now
from resources.sandbox.precoro.switches import PrecoroSwitches
from tests.assets.precoro.company import Company, customer, project, shipped

SELECTED_ONLY = {"imports": {"select": "selected"}}
FAMILY = (project("11", "1"), project("12", "1", "11"), project("13", "1"))


@pytest.fixture
def selective(company: Company) -> Company:
    """Return a company that imports selected records only, with two customers, one of them with projects."""
    company.spec = shipped(**SELECTED_ONLY)
    return company.netsuite(customer("1"), customer("2", company_name="Acme Bolts"), projects=FAMILY)


# --- candidates, selection, import -------------------------------------------------------------------------------


@pytest.mark.long
def test_candidates_are_the_missing_records_with_name_level_parent_and_reason(company: Company) -> None:
    """F12: the SuiteApp lists records in scope; our candidates also say why others cannot be imported."""
    company.spec = shipped(**SELECTED_ONLY)
    company.netsuite(
        customer("1"),
        customer("2", subsidiary_id="3", subsidiary_ids=["3"]),
        customer("3", company_name="n" * 84),
        projects=(*FAMILY, project("14", "1", "12"), project("15", None)),
    )

    company.run(Mode.IMPORT, "1")
    company.plan(Mode.IMPORT)
    names = ["source_id", "label", "level", "parent_label", "can_be_imported", "why_not_code"]
    rows = {row[0]: row[1:] for row in company.table("candidates").select(names).rows()}

    assert rows == {
        "2": ("Company 2", 1, None, False, "out_of_subsidiary"),
        "3": ("n" * 84, 1, None, False, "too_long"),
        "11": ("Project 11", 2, "Company 1", True, None),
        "12": ("Project 12", 3, "Project 11", True, None),
        "13": ("Project 13", 2, "Company 1", True, None),
        "14": ("Project 14", 4, "Project 12", False, "too_deep"),
        "15": ("Project 15", 1, None, False, "no_parent"),
    }


@pytest.mark.long
def test_nothing_is_imported_before_it_is_selected(selective: Company) -> None:
    """Neither an import nor a sync creates it."""
    for mode in (Mode.IMPORT, Mode.SYNC):
        assert set(selective.run(mode).values()) == {("skipped", "not_picked")}

    assert selective.sandbox.precoro.write_calls() == 0


def test_ancestors_of_a_selected_record_are_imported_first(selective: Company) -> None:
    """F09, F13: with a project on level 3 come its ancestors, but not its sibling or another customer."""
    selective.run(Mode.IMPORT, "12")

    assert [form["externalId"] for _, form in selective.writes()] == ["1", "11", "12"]
    assert selective.tree() == {"1": (1, None), "11": (2, "1"), "12": (3, "11")}
    assert dict(selective.table("selection").select("source_id", "selected_by").rows()) == {
        "1": "ancestor", "11": "ancestor", "12": "id",
    }  # fmt: skip


@pytest.mark.long
def test_selected_records_stay_selected(selective: Company) -> None:
    """The warehouse stores the selection; a later import adds to it."""
    selective.run(Mode.IMPORT, "2")
    selective.run(Mode.IMPORT, "1")

    assert set(selective.tree()) == {"1", "2"}
    assert set(selective.warehouse.table("sync_import_selection")["source_id"]) == {"1", "2"}


@pytest.mark.long
def test_a_search_matches_part_of_the_name_in_any_case(selective: Company) -> None:
    """F15: the search is text, not a pattern."""
    selective.run(Mode.IMPORT, search="ACME")
    assert set(selective.tree()) == {"2"}

    selective.run(Mode.IMPORT, search="a.me b")
    assert set(selective.tree()) == {"2"}


def test_a_search_narrows_a_selection_by_id(selective: Company) -> None:
    """F15: an id that the search does not match is an error, and nothing is sent."""
    with pytest.raises(SelectionError, match="1: not found by the search 'acme'"):
        selective.run(Mode.IMPORT, "1", "2", search="acme")

    assert selective.sandbox.precoro.write_calls() == 0


@pytest.mark.long
def test_select_all_covers_every_page(company: Company) -> None:
    """F14: the SuiteApp selects one page at a time; here 450 records are 450 options."""
    company.spec = shipped(**SELECTED_ONLY)
    company.netsuite(*(customer(str(number)) for number in range(1, 451)))

    company.run(Mode.IMPORT, all_records=True)

    assert len(company.options()) == 450
    company.netsuite(*(customer(str(number)) for number in range(1, 452)))
    assert company.run(Mode.IMPORT)["451"] == ("skipped", "not_picked")


@pytest.mark.long
def test_records_that_cannot_be_imported_cannot_be_selected(selective: Company) -> None:
    """Each is reported with its reason, and nothing is selected."""
    selective.netsuite(customer("1"), customer("2", is_inactive=True))

    with pytest.raises(SelectionError, match="2: inactive in NetSuite; 99: this workflow has no record with this id"):
        selective.run(Mode.IMPORT, "1", "2", "99")

    assert selective.warehouse.table("sync_import_selection").is_empty()


@pytest.mark.long
def test_a_selection_needs_a_workflow_that_imports_selected_records(company: Company) -> None:
    """A selection in a workflow that imports all records would be a misunderstanding."""
    company.netsuite(customer("1"))

    with pytest.raises(SelectionError, match=r"set `imports\.select: selected`"):
        company.run(Mode.IMPORT, "1")


@pytest.mark.long
def test_a_record_can_be_deselected(selective: Company) -> None:
    """This affects records that were not imported yet; imported ones stay and are updated."""
    selective.run(Mode.IMPORT, "2")
    with selective.warehouse.writer() as con:
        assert deselect_records(con, selective.name, ["2", "99"], utc_now(selective.sandbox.clock)) == 1
    selective.netsuite(customer("1"), customer("2", company_name="Renamed"))

    selective.run(Mode.UPDATE)

    assert selective.options()["2"]["name"] == "Renamed"


@pytest.mark.long
def test_new_records_need_an_import(company: Company) -> None:
    """F16: an update sends no POST, an import one."""
    company.netsuite(customer("1")).run(Mode.IMPORT)
    company.netsuite(customer("1"), customer("2"))

    assert company.run(Mode.UPDATE)["2"] == ("skipped", "not_imported")
    assert len(company.writes()) == 1
    assert company.run(Mode.IMPORT)["2"] == ("create", "new")
    assert [method for method, _ in company.writes()] == ["POST", "POST"]


@pytest.mark.long
def test_an_import_changes_no_existing_option(company: Company) -> None:
    """A rename is left for the update."""
    company.netsuite(customer("1")).run(Mode.IMPORT)
    company.netsuite(customer("1", company_name="Renamed"))

    assert company.run(Mode.IMPORT)["1"] == ("skipped", "left_for_update")
    assert len(company.writes()) == 1
    assert company.run(Mode.UPDATE)["1"] == ("update", "source_changed")


@pytest.mark.parametrize("mode", Mode)
def test_a_second_run_in_any_mode_writes_nothing(company: Company, mode: Mode) -> None:
    """F17, F34: runs are repeatable."""
    company.netsuite(customer("1"), projects=FAMILY).run(Mode.SYNC)
    writes = len(company.writes())

    company.run(mode)

    assert len(company.writes()) == writes


# --- changes in Precoro -------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_manually_deleted_option_is_reported_by_an_update_and_recreated_by_an_import(company: Company) -> None:
    """F18, F26: NetSuite is not changed, and the link leads to the new option."""
    company.netsuite(customer("1"), customer("2"), projects=FAMILY).run(Mode.SYNC)
    before = company.options()
    company.sandbox.precoro.remove_option(before["1"]["option_id"])  # with its children
    writes = len(company.writes())

    decisions = company.run(Mode.UPDATE)
    candidates = company.table("candidates").filter("can_be_imported", "was_imported")
    assert {key for key, each in decisions.items() if each == ("skipped", "deleted_in_target")} == {
        "1",
        "11",
        "12",
        "13",
    }
    # a listing may lack what exists: each is looked for by its id, and none is made
    assert [method for method, _ in company.writes()[writes:]] == ["PATCH"] * 4
    assert set(candidates["source_id"]) == {"1", "11", "12", "13"}

    company.run(Mode.IMPORT)
    links = dict(company.warehouse.table("sync_links").select("source_id", "target_id").rows())
    assert company.tree() == {"1": (1, None), "2": (1, None), "11": (2, "1"), "12": (3, "11"), "13": (2, "1")}
    assert links["1"] == str(company.options()["1"]["option_id"]) != str(before["1"]["option_id"])
    assert set(company.run(Mode.SYNC).values()) == {("unchanged", "identical")}


def test_a_manually_edited_option_is_restored_as_drift(company: Company) -> None:
    """F25: options renamed and disabled in Precoro get NetSuite's values with the next update."""
    company.netsuite(customer("1"), customer("2")).run(Mode.IMPORT)
    options = company.options()
    company.sandbox.precoro.edit_option(options["1"]["option_id"], name="edited")
    company.sandbox.precoro.edit_option(options["2"]["option_id"], enable=0)

    decisions = company.run(Mode.UPDATE)

    assert decisions == {"1": ("update", "drift"), "2": ("reactivate", "live_again")}
    assert [(row["name"], row["enable"]) for row in company.options().values()] == [
        ("Company 1", True),
        ("Company 2", True),
    ]


@pytest.mark.long
def test_foreign_options_are_not_changed(company: Company) -> None:
    """F23: not even one with the same name."""
    company.sandbox.precoro.add_option("Company 1")
    foreign = [row for row in company.sandbox.precoro.options() if not row["external_id"]]
    company.netsuite(customer("1"), projects=FAMILY)
    for mode in (Mode.IMPORT, Mode.UPDATE, Mode.SYNC):
        company.run(mode)
        company.netsuite(customer("1", company_name=f"after {mode}"), projects=FAMILY)

    assert [row for row in company.sandbox.precoro.options() if not row["external_id"]] == foreign


# --- changes in NetSuite ------------------------------------------------------------------------------------------


def test_a_rename_takes_one_call_and_children_stay(company: Company) -> None:
    """F19: one PUT with the whole option and the same option id."""
    company.netsuite(customer("1"), projects=FAMILY).run(Mode.SYNC)
    before, writes = company.options(), len(company.writes())
    company.netsuite(customer("1", company_name="Renamed"), projects=FAMILY)

    company.run(Mode.UPDATE)

    (method, form) = company.writes()[-1]
    assert len(company.writes()) == writes + 1
    assert (method, form) == ("PUT", {"name": "Renamed", "enable": "1", "externalId": "1", "code": ""})
    assert company.options()["1"]["option_id"] == before["1"]["option_id"]
    assert company.options()["11"] == before["11"]


@pytest.mark.long
def test_an_inactive_customer_is_disabled_with_its_children_and_enabled_again(company: Company) -> None:
    """F20, F21: disabled deepest first, enabled parent first."""
    company.netsuite(customer("1"), projects=FAMILY[:2]).run(Mode.SYNC)
    company.netsuite(customer("1", is_inactive=True), projects=FAMILY[:2])

    decisions = company.run(Mode.UPDATE)
    disabled = [(form["externalId"], form["enable"]) for _, form in company.writes()[3:]]
    assert decisions == {"1": ("deactivate", "inactive"), "11": ("deactivate", "parent_inactive"),
                    "12": ("deactivate", "parent_inactive")}  # fmt: skip
    assert disabled == [("12", "0"), ("11", "0"), ("1", "0")]

    company.netsuite(customer("1"), projects=FAMILY[:2]).run(Mode.UPDATE)
    assert [(form["externalId"], form["enable"]) for _, form in company.writes()[6:]] == [
        ("1", "1"), ("11", "1"), ("12", "1"),
    ]  # fmt: skip
    assert set(company.tree()) == {"1", "11", "12"}


@pytest.mark.long
def test_a_record_deleted_in_netsuite_is_disabled_and_never_removed(company: Company) -> None:
    """F22: its option is kept."""
    company.netsuite(customer("1"), customer("2")).run(Mode.SYNC)

    decisions = company.netsuite(customer("1"), customer("2", is_deleted=True)).run(Mode.UPDATE)

    assert decisions["2"] == ("deactivate", "deleted")
    assert not company.options()["2"]["enable"]


def test_a_mass_disable_trips_the_guard(company: Company) -> None:
    """F22: sixty of a hundred records disappear; nothing is sent, and the plan waits for approval."""
    company.netsuite(*(customer(str(number)) for number in range(100))).run(Mode.SYNC)
    company.netsuite(*(customer(str(number), is_deleted=number < 60) for number in range(100)))

    planned = company.plan(Mode.UPDATE)

    assert [(each.guard, each.rows) for each in planned.tripped] == [("deactivate", 60)]
    assert all(row["enable"] for row in company.options().values())


@pytest.mark.long
def test_a_record_that_leaves_the_subsidiary_is_disabled(company: Company) -> None:
    """F44: it has its own reason."""
    company.netsuite(customer("1"), customer("2")).run(Mode.SYNC)

    decisions = company.netsuite(customer("1", subsidiary_id="3", subsidiary_ids=["3"]), customer("2")).run(Mode.UPDATE)

    assert decisions["1"] == ("deactivate", "out_of_subsidiary")
    assert set(company.tree()) == {"2"}


# --- scope, levels, fields ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subsidiary_scope", "inside"), [("any", {"1", "3"}), ("primary", {"1"})])
def test_a_customer_belongs_to_its_primary_subsidiary_or_to_all_of_them(
    company: Company, subsidiary_scope: str, inside: set[str]
) -> None:
    """F04: inside, outside, and in two subsidiaries."""
    select = {"stages": {"customer": "include"}, "subsidiary": "2", "subsidiary_scope": subsidiary_scope}
    company.spec = shipped(customers={"select": select})
    company.netsuite(
        customer("1"),
        customer("2", subsidiary_id="3", subsidiary_ids=["3"]),
        customer("3", subsidiary_id="3", subsidiary_ids=["2", "3"]),
    )

    decisions = company.run()

    assert set(company.tree()) == inside
    assert decisions["2"] == ("skipped", "out_of_subsidiary")


@pytest.mark.parametrize(("max_level", "quarantined"), [(3, {"14", "15", "16"}), (5, {"16"})])
def test_records_below_the_deepest_level_are_quarantined(
    company: Company, max_level: int, quarantined: set[str]
) -> None:
    """F05 to F08: levels 1 to 3 as in Precoro's own integration, and up to 5 by a setting."""
    company.spec = shipped(max_level=max_level)
    deeper = (project("14", "1", "12"), project("15", "1", "14"), project("16", "1", "15"))
    company.netsuite(customer("1"), projects=(*FAMILY, *deeper))

    decisions = company.run()

    posted = [form for _, form in company.writes()]
    assert {key for key, each in decisions.items() if each == ("quarantined", "too_deep")} == quarantined
    assert {key: level for key, (level, _) in company.tree().items()} == {
        key: level
        for key, level in {"1": 1, "11": 2, "13": 2, "12": 3, "14": 4, "15": 5}.items()
        if key not in quarantined
    }
    assert "parent[id]" not in posted[0]
    assert [form["parent[id]"] for form in posted[1:3]] == [str(company.options()["1"]["option_id"])] * 2


def test_parents_are_always_sent_before_their_children(company: Company) -> None:
    """F10: by level, and customers with projects before those without."""
    company.netsuite(customer("9"), customer("1"), customer("2"), projects=(*FAMILY, project("21", "2")))

    company.run()

    assert [form["externalId"] for _, form in company.writes()] == ["1", "2", "11", "13", "21", "12", "9"]


def test_without_projects_only_customers_are_synced(company: Company) -> None:
    """F11: the feature is disabled in NetSuite, and the table is empty."""
    assert company.netsuite(customer("1"), customer("2")).run() == {"1": ("create", "new"), "2": ("create", "new")}
    assert {level for level, _ in company.tree().values()} == {1}


@pytest.mark.long
@pytest.mark.parametrize(("nested", "positions"), [(False, [(1, None), (2, "2")]), (True, [(2, "1"), (3, "2")])])
def test_sub_customers_are_nested_by_a_setting(
    company: Company, *, nested: bool, positions: list[tuple[int, str | None]]
) -> None:
    """A sub-customer, and a project of it."""
    company.spec = shipped(customers={"parent": {"customers": "parent_customer_id"} if nested else None})
    company.netsuite(customer("1"), customer("2", parent_customer_id="1"), projects=(project("21", "2"),))

    company.run()

    assert [company.tree()[key] for key in ("2", "21")] == positions


@pytest.mark.long
@pytest.mark.parametrize("required", [True, False])
def test_a_project_without_a_customer_is_quarantined_or_at_the_top_level_by_a_setting(
    company: Company, *, required: bool
) -> None:
    """It is never attached to another customer."""
    company.spec = shipped(projects={"parent_required": required})

    decisions = company.netsuite(customer("1"), projects=(project("11", None),)).run()

    assert decisions["11"] == (("quarantined", "no_parent") if required else ("create", "new"))
    assert company.tree() == {"1": (1, None)} | ({} if required else {"11": (1, None)})


def test_lengths_count_characters_and_nothing_is_truncated(company: Company) -> None:
    """F30, F31: 83 and 256 characters are sent, 84 and 257 quarantined; bytes do not count."""
    company.netsuite(
        customer("1", company_name="ü" * 83),
        customer("2", company_name="ü" * 84),
        projects=(project("11", "1", project_name="ж" * 256), project("12", "1", project_name="ж" * 257)),
    )

    decisions = company.run()

    assert {key: len(row["name"]) for key, row in company.options().items()} == {"1": 83, "11": 256}
    assert decisions["2"] == decisions["12"] == ("quarantined", "too_long")


def test_a_record_that_the_service_rejects_is_quarantined_with_its_text(company: Company) -> None:
    """F31, F36: the service accepts 255 characters; the other records are written."""
    company.sandbox.switches.set("precoro", PrecoroSwitches, name_limit=255)
    company.netsuite(customer("1"), projects=(project("11", "1", project_name="p" * 256), project("12", "1")))

    decisions = company.run()

    reasons = company.warehouse.read("select reason from sync_decisions where source_id = '11' and to_run is null")
    assert decisions["11"] == ("quarantined", "rejected_400")
    assert set(company.tree()) == {"1", "12"}
    assert "This value is too long." in reasons["reason"][0]


def test_individuals_have_their_alternative_name_or_first_and_last_name(company: Company) -> None:
    """F28: the company name comes first."""
    company.netsuite(
        customer("1"),
        customer("2", company_name=None, alt_name="Ada L.", is_person=True),
        customer("3", company_name=None, first_name="Ada", last_name="Lovelace", is_person=True),
    )

    company.run()

    assert [row["name"] for row in company.options().values()] == ["Company 1", "Ada L.", "Ada Lovelace"]


@pytest.mark.parametrize("number", [False, True])
def test_a_setting_makes_the_projects_number_its_code(company: Company, *, number: bool) -> None:
    """F29, F27: off by default, as in Precoro's own integration; only known keys are ever sent."""
    rows = [row | {"active": True} if row["field"] == "code" and number else row
            for row in shipped().model_dump(by_alias=True)["records"][1]["fields"]]  # fmt: skip
    company.spec = shipped(projects={"fields": rows})

    company.netsuite(customer("1"), projects=FAMILY).run()

    assert company.options()["11"]["code"] == ("P11" if number else None)
    assert {key for _, form in company.writes() for key in form} <= {
        "name", "code", "enable", "externalId", "parent[id]",
    }  # fmt: skip


@pytest.mark.long
def test_duplicate_names_below_one_parent_are_allowed_and_marked(company: Company) -> None:
    """The external id distinguishes them; the tree marks them."""
    company.netsuite(customer("1"), projects=(*FAMILY[:1], project("13", "1", project_name="Project 11")))

    company.run()

    tree = company.table("tree").filter("has_duplicate_name")
    assert set(tree["source_id"]) == {"11", "13"}


# --- identity, plan, lineage --------------------------------------------------------------------------------------


@pytest.mark.long
def test_links_are_rebuilt_from_precoro(company: Company) -> None:
    """F41: after a loss of the ledger, every option is matched by its external id, and nothing is written."""
    company.netsuite(customer("1"), projects=FAMILY).run()
    with company.warehouse.writer() as con:
        for table in ("sync_links", "sync_decisions", "sync_attempts", "sync_runs", "sync_plans"):
            con.execute(f"drop table {table}")
    company.sandbox.clock.sleep(90)
    writes = len(company.writes())

    decisions = company.run()

    assert set(decisions.values()) == {("unchanged", "identical")}
    assert len(company.writes()) == writes
    assert company.warehouse.table("sync_links").height == 4


def test_a_plan_sends_nothing(company: Company) -> None:
    """F43: it only reads."""
    planned = company.netsuite(customer("1"), projects=FAMILY).plan()

    assert planned.plan.filter(pl.col("action") == "create").height == 4
    assert company.sandbox.precoro.write_calls() == 0


def test_the_tree_links_every_option_to_netsuite_and_the_run(company: Company) -> None:
    """F45: it has paths and levels, and contains foreign options."""
    company.netsuite(customer("1"), projects=FAMILY).run()

    rows = company.table("tree").select("path", "level", "source", "source_id", "run_id").rows()

    assert rows == [
        ("Company 1", 1, "customers", "1", "run 0"),
        ("Company 1 / Project 11", 2, "projects", "11", "run 0"),
        ("Company 1 / Project 11 / Project 12", 3, "projects", "12", "run 0"),
        ("Company 1 / Project 13", 2, "projects", "13", "run 0"),
        ("Internal", 1, None, None, None),
        ("Overheads", 1, None, None, None),
        ("Purchases before 2024", 1, None, None, None),
    ]


@pytest.mark.long
def test_the_counts_of_a_run_agree_with_the_request_log(company: Company) -> None:
    """F35: the summary equals the requests that were sent."""
    company.netsuite(customer("1"), customer("2"), customer("3")).run()
    before = len(company.sandbox.precoro.call_log())
    company.netsuite(
        customer("1", company_name="New"), customer("2", is_inactive=True), customer("3"), customer("4"),
        customer("5", company_name="x" * 84),
    ).run()  # fmt: skip

    run = company.warehouse.table("sync_runs").filter(pl.col("run_id") == "run 1").to_dicts()[0]
    sent = company.sandbox.precoro.call_log()[before:]
    assert [run[name] for name in ("created", "updated", "deactivated", "unchanged", "quarantined", "failed")] == [
        1, 1, 1, 1, 1, 0,
    ]  # fmt: skip
    assert run["calls"] == len(sent)
    assert [call["method"] for call in sent if call["method"] != "GET"] == ["PUT", "POST", "PUT"]


@pytest.mark.long
@pytest.mark.parametrize("entities", ["", "27377", "27377, 27378"])
def test_new_options_are_restricted_to_legal_entities_by_a_setting(company: Company, entities: str) -> None:
    """F42: off by default; one more call for each new option, none for a renamed one."""
    company.spec = shipped(options={"item_custom_field": "5144", "legal_entity_ids": entities})
    company.netsuite(customer("1")).run()
    company.netsuite(customer("1", company_name="New")).run()

    restrictions = [form for method, form in company.writes() if method == "PATCH"]
    entity_ids = {row["entity_id"] for row in company.sandbox.precoro.dependencies()}
    assert entity_ids == {each.strip() for each in entities.split(",") if each}
    assert len(restrictions) == bool(entities)
    assert all(form["depend_type"] == "1" for form in restrictions)
