"""An account that has data already: what could be which, and a person's word about it."""

import csv
import io
from pathlib import Path

import pytest

from tests.orchestration.cli.test_main import ask
from tests.orchestration.conftest import Home, edited_workflows

pytestmark = pytest.mark.long

SPRO = "suiteprojects__customers"


def customer_of(home: Home, place: int = 0) -> tuple[str, str, str]:
    """Id, number and name of a NetSuite customer that would be delivered as new."""
    rows = home.warehouse.read(
        f"select mart.source_id, name, company from mart_{SPRO} as mart join plan_{SPRO} using (source, source_id)"
        " where action = 'create' order by try_cast(source_id as bigint)"
    ).rows()
    found: tuple[str, str, str] = rows[place]
    return found


def planned(home: Home) -> dict[str, tuple[str, str, str | None]]:
    """Plan afresh; action, matched_by and target id by source id."""
    assert home.run(f"{SPRO}__plan").success
    rows = home.warehouse.read(f"select source_id, action, matched_by, target_id from plan_{SPRO}").rows()
    return {row[0]: row[1:] for row in rows}


@pytest.fixture
def target_states(seeded: Home) -> tuple[Home, str, list[str]]:
    """A customer of which SuiteProjects Pro has two by the same nickname, in other letters."""
    assert seeded.run(f"{SPRO}__plan").success
    key, name, company = customer_of(seeded)
    spp = seeded.sandbox.suiteprojects
    ids = [str(spp.add("Customer", name=name.upper(), company=company)), str(spp.add("Customer", name=name.lower()))]
    return seeded, key, ids


def test_candidates_are_shown_with_their_evidence(
    target_states: tuple[Home, str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The person sees which fields agree, and that nothing was guessed."""
    home, key, ids = target_states
    assert planned(home)[key][:2] == ("ambiguous", "name")

    said = ask(capsys, "adopt", SPRO)

    assert said.code == 0
    first, second = (next(line for line in said.lines if line.strip().startswith(f"{each}  ")) for each in ids)
    assert "agrees in company, name" in first
    assert "agrees in name" in second
    assert f"customers {key}: 2 records claim the same name" in said.out
    assert said.out.index(first) < said.out.index(second)


def test_a_persons_link_is_followed_and_told(
    target_states: tuple[Home, str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The queue is left by a decision, which the ledger keeps with who and why; taken back, it waits again."""
    home, key, ids = target_states
    planned(home)

    linked = ask(capsys, "link", key, ids[1], "--workflow", SPRO, "--why", "same VAT number")
    assert linked.code == 0, linked.err + linked.out
    assert planned(home)[key] == ("adopt", "hand", ids[1])
    assert "same VAT number" in ask(capsys, "explain", key).out
    assert ask(capsys, "unlink", key, "--workflow", SPRO).code == 0
    assert planned(home)[key][0] == "ambiguous"
    assert ask(capsys, "unlink", key, "--workflow", SPRO).code == 1
    ask(capsys, "link", key, ids[1], "--workflow", SPRO)
    assert home.run(SPRO).success
    rows = {str(row["id"]): row for row in home.sandbox.suiteprojects.rows("Customer")}
    assert rows[ids[1]]["externalid"] == key
    assert "externalid" not in rows[ids[0]]
    assert planned(home)[key] == ("unchanged", "external_id", ids[1])


def test_a_person_may_say_that_it_is_none_of_them(
    target_states: tuple[Home, str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two companies may have one name."""
    home, key, _ = target_states
    planned(home)

    assert ask(capsys, "link", key, "new", "--workflow", SPRO).code == 0

    assert planned(home)[key][0] == "create"


@pytest.mark.parametrize(("target", "told"), [("99999", "no record 99999"), ("taken", "is linked to customers")])
def test_a_link_that_cannot_be_is_refused(
    settled: Home, capsys: pytest.CaptureFixture[str], target: str, told: str
) -> None:
    """Not there, or another record's: nothing is kept."""
    rows = settled.warehouse.read(
        f"select source_id, target_id from sync_links where workflow = '{SPRO}' order by target_id"
    ).rows()
    (first, _), (_, taken) = rows[0], rows[1]

    said = ask(capsys, "link", first, taken if target == "taken" else target, "--workflow", SPRO)

    assert said.code == 2
    assert told in said.out
    assert not settled.warehouse.read("select 1 from sync_pins").height


def test_every_link_has_its_address(settled: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """As CSV for whoever wants to click, in explain, and for analysts in the snapshot."""
    said = ask(capsys, "links", SPRO, "--csv")

    rows = list(csv.DictReader(io.StringIO(said.out)))
    links = settled.warehouse.read(f"select source_id, target_id from sync_links where workflow = '{SPRO}'")
    assert {(row["source_id"], row["target_id"]) for row in rows} == set(links.rows())
    assert all(row["target_url"].startswith("https://") and row["target_id"] in row["target_url"] for row in rows)
    assert rows[0]["target_url"] in ask(capsys, "explain", rows[0]["source_id"]).out
    assert settled.warehouse.snapshot.exists()


def test_a_workflow_without_an_address_has_links_without_one(
    settled: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path of a record's page is not documented; who leaves it out gets none rather than a wrong one."""

    def edit(text: str) -> str:
        return "\n".join(line for line in text.splitlines() if "record_link" not in line)

    with edited_workflows(tmp_path / "workflows", **{SPRO: edit}):
        assert settled.run(SPRO).success
        said = ask(capsys, "links", SPRO, "--csv")

    assert {row["target_url"] for row in csv.DictReader(io.StringIO(said.out))} == {""}
