"""Import, Update, and what a person picks: one scenario per row of the feature table, on the shipped workflow."""

import polars as pl
import pytest

from assets.delivery.imports.selection import SelectionError, deselect_records
from assets.delivery.plan.mode import Mode
from resources.sandbox.precoro.switches import PrecoroSwitches
from tests.assets.precoro.company import Company, customer, project, shipped

PICKED = {"imports": {"select": "selected"}}
FAMILY = (project("11", "1"), project("12", "1", "11"), project("13", "1"))


@pytest.fixture
def picky(company: Company) -> Company:
    """Only what people pick is imported: two customers, one of them with a project and one below that."""
    company.spec = shipped(**PICKED)
    return company.netsuite(customer("1"), customer("2", company_name="Acme Bolts"), projects=FAMILY)


# --- candidates, picking, import ----------------------------------------------------------------------------------


def test_candidates_are_what_is_not_there_with_name_level_parent_and_why_not(company: Company) -> None:
    """F12: the page lists what is in scope; ours also says why the rest is not offered."""
    company.spec = shipped(**PICKED)
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
def test_nothing_is_imported_before_somebody_picks_it(picky: Company) -> None:
    """Neither by an import nor by the whole job."""
    for mode in (Mode.IMPORT, Mode.SYNC):
        assert set(picky.run(mode).values()) == {("skipped", "not_picked")}

    assert picky.sandbox.precoro.write_calls() == 0


def test_a_pick_brings_its_ancestors_in_order(picky: Company) -> None:
    """F09, F13: a project on level 3 is picked; its chain comes along, its sibling and the other customer do not."""
    picky.run(Mode.IMPORT, "12")

    assert [form["externalId"] for _, form in picky.written()] == ["1", "11", "12"]
    assert picky.tree() == {"1": (1, None), "11": (2, "1"), "12": (3, "11")}
    assert dict(picky.table("selection").select("source_id", "selected_by").rows()) == {
        "1": "ancestor", "11": "ancestor", "12": "id",
    }  # fmt: skip


@pytest.mark.long
def test_what_was_picked_stays_picked(picky: Company) -> None:
    """The warehouse keeps the picks; a later import picks more and takes nothing back."""
    picky.run(Mode.IMPORT, "2")
    picky.run(Mode.IMPORT, "1")

    assert set(picky.tree()) == {"1", "2"}
    assert set(picky.warehouse.table("sync_import_selection")["source_id"]) == {"1", "2"}


@pytest.mark.long
def test_a_search_is_part_of_the_name_in_any_case(picky: Company) -> None:
    """F15: what is typed is text, not a pattern."""
    picky.run(Mode.IMPORT, search="ACME")
    assert set(picky.tree()) == {"2"}

    picky.run(Mode.IMPORT, search="a.me b")
    assert set(picky.tree()) == {"2"}


def test_a_search_limits_what_is_picked_by_id(picky: Company) -> None:
    """F15: what the search hides cannot be ticked; nothing is sent then."""
    with pytest.raises(SelectionError, match="1: not found by the search 'acme'"):
        picky.run(Mode.IMPORT, "1", "2", search="acme")

    assert picky.sandbox.precoro.write_calls() == 0


def test_select_all_covers_every_page(company: Company) -> None:
    """F14: the SuiteApp marks one page at a time; 450 records are 450 options."""
    company.spec = shipped(**PICKED)
    company.netsuite(*(customer(str(number)) for number in range(1, 451)))

    company.run(Mode.IMPORT, everything=True)

    assert len(company.options()) == 450
    company.netsuite(*(customer(str(number)) for number in range(1, 452)))
    assert company.run(Mode.IMPORT)["451"] == ("skipped", "not_picked")


@pytest.mark.long
def test_what_cannot_be_imported_cannot_be_picked(picky: Company) -> None:
    """The reason is told for each, and nothing of the pick is kept."""
    picky.netsuite(customer("1"), customer("2", is_inactive=True))

    with pytest.raises(SelectionError, match="2: inactive in NetSuite; 99: this workflow has no record with this id"):
        picky.run(Mode.IMPORT, "1", "2", "99")

    assert picky.warehouse.table("sync_import_selection").is_empty()


@pytest.mark.long
def test_picking_needs_a_workflow_that_waits_for_it(company: Company) -> None:
    """Where everything is imported anyway a pick would be a misunderstanding."""
    company.netsuite(customer("1"))

    with pytest.raises(SelectionError, match=r"set `imports\.select: selected`"):
        company.run(Mode.IMPORT, "1")


@pytest.mark.long
def test_a_pick_can_be_taken_back(picky: Company) -> None:
    """As long as nothing was imported; what was imported stays and is updated."""
    picky.run(Mode.IMPORT, "2")
    with picky.warehouse.writer() as con:
        assert deselect_records(con, picky.name, ["2", "99"]) == 1
    picky.netsuite(customer("1"), customer("2", company_name="Renamed"))

    picky.run(Mode.UPDATE)

    assert picky.options()["2"]["name"] == "Renamed"


def test_new_records_need_an_import(company: Company) -> None:
    """F16: Update: no POST; Import: one."""
    company.netsuite(customer("1")).run(Mode.IMPORT)
    company.netsuite(customer("1"), customer("2"))

    assert company.run(Mode.UPDATE)["2"] == ("skipped", "not_imported")
    assert len(company.written()) == 1
    assert company.run(Mode.IMPORT)["2"] == ("create", "new")
    assert [verb for verb, _ in company.written()] == ["POST", "POST"]


@pytest.mark.long
def test_an_import_changes_nothing(company: Company) -> None:
    """A rename waits for the update."""
    company.netsuite(customer("1")).run(Mode.IMPORT)
    company.netsuite(customer("1", company_name="Renamed"))

    assert company.run(Mode.IMPORT)["1"] == ("skipped", "left_for_update")
    assert len(company.written()) == 1
    assert company.run(Mode.UPDATE)["1"] == ("update", "source_changed")


@pytest.mark.parametrize("mode", Mode)
def test_a_second_run_of_a_kind_writes_nothing(company: Company, mode: Mode) -> None:
    """F17, F34: repeatable."""
    company.netsuite(customer("1"), projects=FAMILY).run(Mode.SYNC)
    writes = len(company.written())

    company.run(mode)

    assert len(company.written()) == writes


# --- what happens in Precoro --------------------------------------------------------------------------------------


def test_an_option_deleted_by_hand_is_reported_by_an_update_and_made_anew_by_an_import(company: Company) -> None:
    """F18, F26: NetSuite is not touched; the mapping follows the new option."""
    company.netsuite(customer("1"), customer("2"), projects=FAMILY).run(Mode.SYNC)
    gone = company.options()
    company.sandbox.precoro.remove_option(gone["1"]["option_id"])  # with everything below it
    writes = len(company.written())

    told = company.run(Mode.UPDATE)
    candidates = company.table("candidates").filter("can_be_imported", "was_imported")
    assert {key for key, each in told.items() if each == ("skipped", "deleted_in_target")} == {"1", "11", "12", "13"}
    assert len(company.written()) == writes
    assert set(candidates["source_id"]) == {"1", "11", "12", "13"}

    company.run(Mode.IMPORT)
    links = dict(company.warehouse.table("sync_links").select("source_id", "target_id").rows())
    assert company.tree() == {"1": (1, None), "2": (1, None), "11": (2, "1"), "12": (3, "11"), "13": (2, "1")}
    assert links["1"] == str(company.options()["1"]["option_id"]) != str(gone["1"]["option_id"])
    assert set(company.run(Mode.SYNC).values()) == {("unchanged", "identical")}


def test_an_option_edited_by_hand_is_restored_and_counted_as_drift(company: Company) -> None:
    """F25: renamed and disabled in Precoro; NetSuite's value wins at the next update."""
    company.netsuite(customer("1"), customer("2")).run(Mode.IMPORT)
    options = company.options()
    company.sandbox.precoro.edit_option(options["1"]["option_id"], name="by hand")
    company.sandbox.precoro.edit_option(options["2"]["option_id"], enable=0)

    told = company.run(Mode.UPDATE)

    assert told == {"1": ("update", "drift"), "2": ("reactivate", "live_again")}
    assert [(row["name"], row["enable"]) for row in company.options().values()] == [
        ("Company 1", True),
        ("Company 2", True),
    ]


def test_foreign_options_stay_as_they_are(company: Company) -> None:
    """F23: byte for byte, also one of the same name."""
    company.sandbox.precoro.add_option("Company 1")
    foreign = [row for row in company.sandbox.precoro.options() if not row["external_id"]]
    company.netsuite(customer("1"), projects=FAMILY)
    for mode in (Mode.IMPORT, Mode.UPDATE, Mode.SYNC):
        company.run(mode)
        company.netsuite(customer("1", company_name=f"after {mode}"), projects=FAMILY)

    assert [row for row in company.sandbox.precoro.options() if not row["external_id"]] == foreign


# --- what happens in NetSuite -------------------------------------------------------------------------------------


def test_a_rename_is_one_call_and_children_stay(company: Company) -> None:
    """F19: one PUT with the whole option, the same option id."""
    company.netsuite(customer("1"), projects=FAMILY).run(Mode.SYNC)
    before, writes = company.options(), len(company.written())
    company.netsuite(customer("1", company_name="Renamed"), projects=FAMILY)

    company.run(Mode.UPDATE)

    (verb, form) = company.written()[-1]
    assert len(company.written()) == writes + 1
    assert (verb, form) == ("PUT", {"name": "Renamed", "enable": "1", "externalId": "1", "code": ""})
    assert company.options()["1"]["option_id"] == before["1"]["option_id"]
    assert company.options()["11"] == before["11"]


def test_inactive_and_live_again(company: Company) -> None:
    """F20, F21: the option is disabled with its children, deepest first, and comes back parent first."""
    company.netsuite(customer("1"), projects=FAMILY[:2]).run(Mode.SYNC)
    company.netsuite(customer("1", is_inactive=True), projects=FAMILY[:2])

    told = company.run(Mode.UPDATE)
    off = [(form["externalId"], form["enable"]) for _, form in company.written()[3:]]
    assert told == {"1": ("deactivate", "inactive"), "11": ("deactivate", "parent_inactive"),
                    "12": ("deactivate", "parent_inactive")}  # fmt: skip
    assert off == [("12", "0"), ("11", "0"), ("1", "0")]

    company.netsuite(customer("1"), projects=FAMILY[:2]).run(Mode.UPDATE)
    assert [(form["externalId"], form["enable"]) for _, form in company.written()[6:]] == [
        ("1", "1"), ("11", "1"), ("12", "1"),
    ]  # fmt: skip
    assert set(company.tree()) == {"1", "11", "12"}


@pytest.mark.long
def test_deleted_in_netsuite_is_disabled_and_never_removed(company: Company) -> None:
    """F22: one vanishes, its option stays and is off."""
    company.netsuite(customer("1"), customer("2")).run(Mode.SYNC)

    told = company.netsuite(customer("1"), customer("2", is_deleted=True)).run(Mode.UPDATE)

    assert told["2"] == ("deactivate", "deleted")
    assert not company.options()["2"]["enable"]


def test_a_mass_disable_is_held_back(company: Company) -> None:
    """F22: sixty of a hundred vanish; nothing is sent, and the plan waits for a person."""
    company.netsuite(*(customer(str(number)) for number in range(100))).run(Mode.SYNC)
    company.netsuite(*(customer(str(number), is_deleted=number < 60) for number in range(100)))

    planned = company.plan(Mode.UPDATE)

    assert [(each.guard, each.rows) for each in planned.tripped] == [("deactivate", 60)]
    assert all(row["enable"] for row in company.options().values())


def test_leaving_the_subsidiary_disables(company: Company) -> None:
    """F44: with its own reason."""
    company.netsuite(customer("1"), customer("2")).run(Mode.SYNC)

    told = company.netsuite(customer("1", subsidiary_id="3", subsidiary_ids=["3"]), customer("2")).run(Mode.UPDATE)

    assert told["1"] == ("deactivate", "out_of_subsidiary")
    assert set(company.tree()) == {"2"}


# --- scope, levels, fields ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subsidiary_scope", "inside"), [("any", {"1", "3"}), ("primary", {"1"})])
def test_a_customer_belongs_to_the_subsidiary_as_primary_or_by_its_list(
    company: Company, subsidiary_scope: str, inside: set[str]
) -> None:
    """F04: in, out, and in two subsidiaries."""
    select = {"stages": {"customer": "include"}, "subsidiary": "2", "subsidiary_scope": subsidiary_scope}
    company.spec = shipped(customers={"select": select})
    company.netsuite(
        customer("1"),
        customer("2", subsidiary_id="3", subsidiary_ids=["3"]),
        customer("3", subsidiary_id="3", subsidiary_ids=["2", "3"]),
    )

    told = company.run()

    assert set(company.tree()) == inside
    assert told["2"] == ("skipped", "out_of_subsidiary")


@pytest.mark.parametrize(("deepest", "held"), [(3, {"14", "15", "16"}), (5, {"16"})])
def test_deeper_chains_are_quarantined_and_siblings_go_on(company: Company, deepest: int, held: set[str]) -> None:
    """F05 to F08: levels 1, 2, 3 as Precoro's own integration, and up to 5 by setting."""
    company.spec = shipped(max_level=deepest)
    deeper = (project("14", "1", "12"), project("15", "1", "14"), project("16", "1", "15"))
    company.netsuite(customer("1"), projects=(*FAMILY, *deeper))

    told = company.run()

    posted = [form for _, form in company.written()]
    assert {key for key, each in told.items() if each == ("quarantined", "too_deep")} == held
    assert {key: level for key, (level, _) in company.tree().items()} == {
        key: level for key, level in {"1": 1, "11": 2, "13": 2, "12": 3, "14": 4, "15": 5}.items() if key not in held
    }
    assert "parent[id]" not in posted[0]
    assert [form["parent[id]"] for form in posted[1:3]] == [str(company.options()["1"]["option_id"])] * 2


def test_parents_are_always_sent_before_their_children(company: Company) -> None:
    """F10: by level, and families before customers who have nothing below them."""
    company.netsuite(customer("9"), customer("1"), customer("2"), projects=(*FAMILY, project("21", "2")))

    company.run()

    assert [form["externalId"] for _, form in company.written()] == ["1", "2", "11", "13", "21", "12", "9"]


def test_without_projects_there_are_customers_only(company: Company) -> None:
    """F11: the feature is off in NetSuite and the table is empty."""
    assert company.netsuite(customer("1"), customer("2")).run() == {"1": ("create", "new"), "2": ("create", "new")}
    assert {level for level, _ in company.tree().values()} == {1}


@pytest.mark.long
@pytest.mark.parametrize(("nested", "places"), [(False, [(1, None), (2, "2")]), (True, [(2, "1"), (3, "2")])])
def test_sub_customers_stand_beside_or_below_by_setting(
    company: Company, *, nested: bool, places: list[tuple[int, str | None]]
) -> None:
    """A customer's customer, and a project of it."""
    company.spec = shipped(customers={"parent": {"customers": "parent_customer_id"} if nested else None})
    company.netsuite(customer("1"), customer("2", parent_customer_id="1"), projects=(project("21", "2"),))

    company.run()

    assert [company.tree()[key] for key in ("2", "21")] == places


@pytest.mark.long
@pytest.mark.parametrize("required", [True, False])
def test_a_project_without_a_customer_is_held_back_or_on_top_by_setting(company: Company, *, required: bool) -> None:
    """Nothing is hung below somebody else's customer."""
    company.spec = shipped(projects={"parent_required": required})

    told = company.netsuite(customer("1"), projects=(project("11", None),)).run()

    assert told["11"] == (("quarantined", "no_parent") if required else ("create", "new"))
    assert company.tree() == {"1": (1, None)} | ({} if required else {"11": (1, None)})


def test_lengths_count_characters_and_nothing_is_cut(company: Company) -> None:
    """F30, F31: 83 and 256 go, 84 and 257 are held back; two bytes a letter make no difference."""
    company.netsuite(
        customer("1", company_name="ü" * 83),
        customer("2", company_name="ü" * 84),
        projects=(project("11", "1", project_name="ж" * 256), project("12", "1", project_name="ж" * 257)),
    )

    told = company.run()

    assert {key: len(row["name"]) for key, row in company.options().items()} == {"1": 83, "11": 256}
    assert told["2"] == told["12"] == ("quarantined", "too_long")


def test_a_service_that_takes_less_refuses_one_record(company: Company) -> None:
    """F31, F36: 255 characters on the other side; its own words are kept, the rest is written."""
    company.sandbox.switches.set("precoro", PrecoroSwitches, name_limit=255)
    company.netsuite(customer("1"), projects=(project("11", "1", project_name="p" * 256), project("12", "1")))

    told = company.run()

    reasons = company.warehouse.read("select reason from sync_decisions where source_id = '11' and to_run is null")
    assert told["11"] == ("quarantined", "rejected_400")
    assert set(company.tree()) == {"1", "12"}
    assert "This value is too long." in reasons["reason"][0]


def test_people_are_named_by_what_they_have(company: Company) -> None:
    """F28: company name, else the alternative name, else first and last name."""
    company.netsuite(
        customer("1"),
        customer("2", company_name=None, alt_name="Ada L.", is_person=True),
        customer("3", company_name=None, first_name="Ada", last_name="Lovelace", is_person=True),
    )

    company.run()

    assert [row["name"] for row in company.options().values()] == ["Company 1", "Ada L.", "Ada Lovelace"]


@pytest.mark.parametrize("number", [False, True])
def test_the_projects_number_is_the_code_when_it_is_wanted(company: Company, *, number: bool) -> None:
    """F29, F27: off as in Precoro's own integration; nothing but the known keys is ever sent."""
    rows = [row | {"active": True} if row["field"] == "code" and number else row
            for row in shipped().model_dump(by_alias=True)["records"][1]["fields"]]  # fmt: skip
    company.spec = shipped(projects={"fields": rows})

    company.netsuite(customer("1"), projects=FAMILY).run()

    assert company.options()["11"]["code"] == ("P11" if number else None)
    assert {key for _, form in company.written() for key in form} <= {
        "name", "code", "enable", "externalId", "parent[id]",
    }  # fmt: skip


@pytest.mark.long
def test_namesakes_below_one_parent_are_allowed_and_told(company: Company) -> None:
    """Told apart by the external id; the tree marks them."""
    company.netsuite(customer("1"), projects=(*FAMILY[:1], project("13", "1", project_name="Project 11")))

    company.run()

    tree = company.table("tree").filter("has_duplicate_name")
    assert set(tree["source_id"]) == {"11", "13"}


# --- identity, plan, lineage --------------------------------------------------------------------------------------


def test_the_map_is_rebuilt_from_precoro(company: Company) -> None:
    """F41: the warehouse is lost; every option is known again by its external id, and nothing is written."""
    company.netsuite(customer("1"), projects=FAMILY).run()
    with company.warehouse.writer() as con:
        for table in ("sync_links", "sync_decisions", "sync_attempts", "sync_runs", "sync_plans"):
            con.execute(f"drop table {table}")
    company.sandbox.clock.sleep(90)
    writes = len(company.written())

    told = company.run()

    assert set(told.values()) == {("unchanged", "identical")}
    assert len(company.written()) == writes
    assert company.warehouse.table("sync_links").height == 4


def test_a_plan_sends_nothing(company: Company) -> None:
    """F43."""
    planned = company.netsuite(customer("1"), projects=FAMILY).plan()

    assert planned.plan.filter(pl.col("action") == "create").height == 4
    assert company.sandbox.precoro.write_calls() == 0


def test_the_tree_leads_from_every_option_to_netsuite_and_the_run(company: Company) -> None:
    """F45: paths, levels and foreign options as well."""
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


def test_the_runs_numbers_are_those_of_the_request_log(company: Company) -> None:
    """F35: what the summary claims is what was sent."""
    company.netsuite(customer("1"), customer("2"), customer("3")).run()
    before = len(company.sandbox.precoro.call_log())
    company.netsuite(
        customer("1", company_name="New"), customer("2", is_inactive=True), customer("3"), customer("4"),
        customer("5", company_name="x" * 84),
    ).run()  # fmt: skip

    told = company.warehouse.table("sync_runs").filter(pl.col("run_id") == "run 1").to_dicts()[0]
    sent = company.sandbox.precoro.call_log()[before:]
    assert [told[name] for name in ("created", "updated", "deactivated", "unchanged", "quarantined", "failed")] == [
        1, 1, 1, 1, 1, 0,
    ]  # fmt: skip
    assert told["calls"] == len(sent)
    assert [call["method"] for call in sent if call["method"] != "GET"] == ["PUT", "POST", "PUT"]


@pytest.mark.long
@pytest.mark.parametrize("entities", ["", "27377", "27377, 27378"])
def test_new_options_are_restricted_to_legal_entities_when_asked(company: Company, entities: str) -> None:
    """F42: off by default; one more call for each new option, none for a renamed one."""
    company.spec = shipped(options={"item_custom_field": "5144", "legal_entity_ids": entities})
    company.netsuite(customer("1")).run()
    company.netsuite(customer("1", company_name="New")).run()

    ties = [form for verb, form in company.written() if verb == "PATCH"]
    tied = {row["entity_id"] for row in company.sandbox.precoro.dependencies()}
    assert tied == {each.strip() for each in entities.split(",") if each}
    assert len(ties) == bool(entities)
    assert all(form["depend_type"] == "1" for form in ties)
