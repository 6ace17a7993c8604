"""An account that already has data: possible matches, and manual links."""

import csv
import io
from pathlib import Path

import pytest

from tests.orchestration.cli.test_main import run_command
from tests.orchestration.conftest import Home, edited_workflows

pytestmark = pytest.mark.long

CUSTOMERS = "suiteprojects__customers"


def new_customer(home: Home) -> tuple[str, str, str]:
    """Return id, number and name of the first NetSuite customer that would be created."""
    rows = home.warehouse.read(
        f"select mart.source_id, name, company from mart_{CUSTOMERS} as mart"
        f" join plan_{CUSTOMERS} using (source, source_id)"
        " where action = 'create' order by try_cast(source_id as bigint)"
    ).rows()
    found: tuple[str, str, str] = rows[0]
    return found


def planned(home: Home) -> dict[str, tuple[str, str, str | None]]:
    """Plan again, and return action, matched_by and target id by source id."""
    assert home.run(f"{CUSTOMERS}__plan").success
    rows = home.warehouse.read(f"select source_id, action, matched_by, target_id from plan_{CUSTOMERS}").rows()
    return {row[0]: row[1:] for row in rows}


@pytest.fixture
def ambiguous(seeded: Home) -> tuple[Home, str, list[str]]:
    """A customer whose name two records of SuiteProjects Pro have, in other letter case."""
    assert seeded.run(f"{CUSTOMERS}__plan").success
    key, name, company = new_customer(seeded)
    target = seeded.sandbox.suiteprojects
    ids = [
        str(target.add("Customer", name=name.upper(), company=company)),
        str(target.add("Customer", name=name.lower())),
    ]
    return seeded, key, ids


def test_possible_matches_are_listed_with_their_evidence(
    ambiguous: tuple[Home, str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The fields that agree, the best match first; nothing is guessed."""
    home, key, ids = ambiguous
    assert planned(home)[key][:2] == ("ambiguous", "name")

    output = run_command(capsys, "match", CUSTOMERS)

    assert output.code == 0
    first, second = (next(line for line in output.lines if line.strip().startswith(f"{each}  ")) for each in ids)
    assert "agrees in company, name" in first
    assert "agrees in name" in second
    assert f"customers {key}: 2 records share the same name" in output.out
    assert output.out.index(first) < output.out.index(second)


def test_a_manual_link_is_followed_and_explained(
    ambiguous: tuple[Home, str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The ledger records who linked and why; without the link the record is ambiguous again."""
    home, key, ids = ambiguous
    planned(home)

    linked = run_command(capsys, "link", key, ids[1], "--workflow", CUSTOMERS, "--reason", "same VAT number")
    assert linked.code == 0, linked.err + linked.out
    assert planned(home)[key] == ("adopt", "manual", ids[1])
    assert "same VAT number" in run_command(capsys, "explain", key).out
    assert run_command(capsys, "unlink", key, "--workflow", CUSTOMERS, "--reason", "another branch").code == 0
    notes = home.warehouse.read("select note from sync_events where event = 'unlinked'")["note"].to_list()
    assert notes == ["another branch"]
    assert planned(home)[key][0] == "ambiguous"
    assert run_command(capsys, "unlink", key, "--workflow", CUSTOMERS).code == 1
    run_command(capsys, "link", key, ids[1], "--workflow", CUSTOMERS)
    assert home.run(CUSTOMERS).success
    rows = {str(row["id"]): row for row in home.sandbox.suiteprojects.rows("Customer")}
    assert rows[ids[1]]["externalid"] == key
    assert "externalid" not in rows[ids[0]]
    assert planned(home)[key] == ("unchanged", "external_id", ids[1])


def test_a_record_can_be_linked_to_none_of_its_matches(
    ambiguous: tuple[Home, str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two companies may have the same name."""
    home, key, _ = ambiguous
    planned(home)

    assert run_command(capsys, "link", key, "new", "--workflow", CUSTOMERS).code == 0

    assert planned(home)[key][0] == "create"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("99999", "no record 99999"),
        ("taken", "if that is wrong, clear our key there"),
    ],
)
def test_an_impossible_link_is_an_error(
    synced: Home, capsys: pytest.CaptureFixture[str], target: str, text: str
) -> None:
    """To a missing record, or to another record's: nothing is stored."""
    rows = synced.warehouse.read(
        f"select source_id, target_id from sync_links where workflow = '{CUSTOMERS}' order by target_id"
    ).rows()
    (first, _), (_, taken) = rows[0], rows[1]

    output = run_command(
        capsys, "link", first, taken if target == "taken" else target, "--workflow", CUSTOMERS
    )  # fmt: skip

    assert output.code == 2
    assert text in output.out
    assert not synced.warehouse.read("select 1 from sync_manual_links").height


def test_every_link_has_its_url(synced: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """In the CSV, in explain, and in the analysts' snapshot."""
    output = run_command(capsys, "links", CUSTOMERS, "--csv")

    rows = list(csv.DictReader(io.StringIO(output.out)))
    links = synced.warehouse.read(f"select source_id, target_id from sync_links where workflow = '{CUSTOMERS}'")
    assert {(row["source_id"], row["target_id"]) for row in rows} == set(links.rows())
    assert all(row["target_url"].startswith("https://") and row["target_id"] in row["target_url"] for row in rows)
    assert rows[0]["target_url"] in run_command(capsys, "explain", rows[0]["source_id"]).out
    assert synced.warehouse.snapshot.exists()


def test_links_of_a_workflow_without_record_url_have_no_url(
    synced: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path of a record's page is undocumented; no URL is better than a wrong one."""

    def edit(text: str) -> str:
        return "\n".join(line for line in text.splitlines() if "record_url" not in line)

    with edited_workflows(tmp_path / "workflows", **{CUSTOMERS: edit}):
        assert synced.run(CUSTOMERS).success
        output = run_command(capsys, "links", CUSTOMERS, "--csv")

    assert {row["target_url"] for row in csv.DictReader(io.StringIO(output.out))} == {""}
