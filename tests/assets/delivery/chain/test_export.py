"""An export can be checked with the public key alone, and shows any change of its files."""

import csv
import hashlib
import json
import shutil
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from assets.delivery.chain.checkpoints import ChainError
from assets.delivery.chain.export import Export, export_ledger
from assets.delivery.chain.export_check import verify_export
from assets.delivery.chain.kept import read_kept
from assets.delivery.chain.rewrite import rewriting
from assets.delivery.chain.seal import seal
from assets.delivery.ledger.events import Event, Happened
from resources.signing import Signer
from tests.assets.delivery.chain.ledger_chain import KEY, OTHER_KEY, SWITCHES, add_run, at, verified

ALL = Export(at(0).date(), at(9).date())
PUBLIC = Signer(KEY).public_keys


def exported(con: duckdb.DuckDBPyConnection, folder: Path, export: Export = ALL) -> Path:
    """Export into a new folder."""
    export_ledger(con, export, folder, at(9))
    return folder


def test_an_export_is_whole(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Every row, in both formats, without a personal value; its last checkpoint can be kept."""
    for file_format in ("csv", "parquet"):
        folder = exported(con, tmp_path / file_format, Export(ALL.since, ALL.until, file_format))  # type: ignore[arg-type]
        found = verify_export(folder, PUBLIC)
        assert found.is_whole, found.problems
        assert found.rows == verified(con).rows
        assert not any(b"Canary" in path.read_bytes() for path in folder.iterdir())
        assert not any(b"as agreed" in path.read_bytes() for path in folder.iterdir()), "a person's note"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    kept = read_kept(folder / "manifest.json")
    assert kept
    assert verified(con, kept=kept).is_whole


def test_a_text_that_looks_like_a_formula_is_shown_and_checked(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """People type the numbers of records, and auditors open the files in a spreadsheet."""
    given = ["=1+1", "+1", "-2", "@x", "\tx", "'=1", "''", "a=1", "é\n=1"]
    add_run(con, 3, **{f"_{number}": ("update", text) for number, text in enumerate(given)})
    seal(con, Signer(KEY), at(3), SWITCHES)
    folder = exported(con, tmp_path / "export")
    rows = [row for row in read_csv(folder / "attempts.csv") if row["run_id"] == "r3" and row["state"] == "confirmed"]

    assert [row["target_id"] for row in rows] == [
        "'=1+1", "'+1", "'-2", "'@x", "'\tx", "''=1", "'''", "a=1", "é\n'=1",
    ]  # fmt: skip
    assert verify_export(folder, PUBLIC).is_whole


MANIFESTS: list[dict[str, object]] = [
    {"files": {}}, {"files": []}, {"public_keys": 5}, {"entries": "x"}, {"first_checkpoint": None},
    {"has_values": None, "files": None}, {"file_format": []}, {"format": {}}, {"entries": [float("inf"), 1]},
    {"first_checkpoint": float("inf")},
]  # fmt: skip


def test_a_forged_manifest_is_one_sentence(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Whoever hands an export out can write anything into it."""
    file = exported(con, tmp_path / "export") / "manifest.json"
    manifest = json.loads(file.read_text())
    without = [
        {name: each for name, each in manifest.items() if name != missing} for missing in ("files", "public_keys")
    ]

    for forged in [*({**manifest, **change} for change in MANIFESTS), *without, [], 5, None]:
        file.write_text(json.dumps(forged))
        with pytest.raises(ChainError, match="not an export of"):
            verify_export(file.parent, PUBLIC)
    file.write_text("[" * 9000)
    with pytest.raises(ChainError, match="not an export of"):
        verify_export(file.parent, PUBLIC)
    for text in ("[" * 9000, json.dumps({**manifest["last_checkpoint"], "number": float("inf")})):
        file.write_text(text)
        with pytest.raises(ChainError, match="not a checkpoint of a ledger"):
            read_kept(file)


def test_an_export_with_values_has_them(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """On request; they are checked as well."""
    folder = exported(con, tmp_path / "export", Export(ALL.since, ALL.until, has_values=True))

    assert b"Canary" in (folder / "attempts.csv").read_bytes()
    assert verify_export(folder, PUBLIC).is_whole
    changed(folder, "attempts.csv", b"Canary _1 of r0", b"Canary _1 of r9")
    assert "attempt r0a0 intent" in verify_export(folder, PUBLIC).problems[0].text


@pytest.mark.parametrize(("first", "last", "entries"), [(1, 1, [16, 25]), (0, 0, [1, 15]), (2, 9, [26, 32])])
def test_days_are_exported(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, first: int, last: int, entries: list[int]
) -> None:
    """Their rows only, and the chain from there on."""
    folder = exported(con, tmp_path / "export", Export(at(first).date(), at(last).date()))
    found = verify_export(folder, PUBLIC)

    assert found.is_whole, found.problems
    assert json.loads((folder / "manifest.json").read_text())["entries"] == entries
    assert sum(found.rows.values()) == entries[1] - entries[0] + 1


def changed(folder: Path, name: str, before: bytes, after: bytes) -> None:
    """Change a file and its hash in the manifest, as a forger would."""
    file, manifest = folder / name, folder / "manifest.json"
    assert before in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(before, after, 1))
    facts = json.loads(manifest.read_text())
    facts["files"][name.partition(".")[0]]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(facts))


def without_line(folder: Path, name: str, text: str) -> None:
    """Remove the line of a file that has a text."""
    lines = (folder / name).read_bytes().splitlines(keepends=True)
    found = next(line for line in lines if text.encode() in line)
    changed(folder, name, found, b"")


def swapped(folder: Path) -> None:
    """Swap two rows' numbers."""
    changed(folder, "attempts.csv", b'"1","flow"', b'"X","flow"')
    changed(folder, "attempts.csv", b'"2","flow"', b'"1","flow"')
    changed(folder, "attempts.csv", b'"X","flow"', b'"2","flow"')


FORGED: dict[str, Callable[[Path], object]] = {
    "another target record": lambda folder: changed(folder, "attempts.csv", b'"12"', b'"99"'),
    "another person": lambda folder: changed(folder, "events.csv", b'"ada"', b'"eve"'),
    "another reason": lambda folder: changed(folder, "decisions.csv", b'"code"', b'"edoc"'),
    "another end": lambda folder: changed(folder, "decision_ends.csv", b'"r1"', b'"r2"'),
    "a removed row": lambda folder: without_line(folder, "attempts.csv", "r1a0"),
    "a removed entry": lambda folder: without_line(folder, "chain.csv", "r1a0"),
    "a removed event": lambda folder: without_line(folder, "events.csv", "approved"),
    "swapped rows": swapped,
    "another leaf": lambda folder: changed(folder, "chain.csv", b'"customers 1","', b'"customers 1","0'),
    "another statement": lambda folder: changed(folder, "checkpoints.csv", b'""last"": 25', b'""last"": 24'),
    "a removed checkpoint": lambda folder: without_line(folder, "checkpoints.csv", "2026-11-17"),
    "a removed file": lambda folder: (folder / "events.csv").unlink(),
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_export_is_found(con: duckdb.DuckDBPyConnection, tmp_path: Path, forged: str) -> None:
    """The manifest was made to fit each time."""
    folder = exported(con, tmp_path / "export")
    FORGED[forged](folder)

    assert not verify_export(folder, PUBLIC).is_whole


def test_a_file_that_was_damaged_is_found(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Its hash is in the manifest."""
    folder = exported(con, tmp_path / "export")
    (folder / "events.csv").write_bytes((folder / "events.csv").read_bytes() + b"\n")

    assert "events.csv" in verify_export(folder, PUBLIC).problems[0].text


def test_the_key_of_the_export_is_not_believed(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Without the key that the auditor was given, that is said; with another one, it does not fit."""
    folder = exported(con, tmp_path / "export")

    assert "compare it" in verify_export(folder, ()).notices[0]
    assert "not one of yours" in verify_export(folder, Signer(OTHER_KEY).public_keys).problems[0].text


def test_pruned_and_erased_rows_are_no_findings(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """The marks come later than the days that are exported."""
    with rewriting(con, Signer(KEY), Event(event=Happened.PRUNED, at=at(9))):
        con.execute("delete from sync_attempts where run_id = 'r1'")
        con.execute("update sync_attempts set image = null where run_id = 'r0'")
    folder = exported(con, tmp_path / "export", Export(at(0).date(), at(1).date(), has_values=True))

    found = verify_export(folder, PUBLIC)
    assert found.is_whole, found.problems
    assert (found.pruned, found.erased) == (6, 3)


def test_no_export_is_refused_by_name(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """As are days without a checkpoint, and a folder that has files."""
    with pytest.raises(ChainError, match="not an export of"):
        verify_export(tmp_path, PUBLIC)
    with pytest.raises(ChainError, match=r"no checkpoint from 2001-01-01 .* 2026-11-16 to 2026-11-18"):
        exported(con, tmp_path / "new", Export(date(2001, 1, 1), date(2001, 1, 2)))
    folder = exported(con, tmp_path / "export")
    with pytest.raises(ChainError, match="has files"):
        exported(con, folder)
    shutil.rmtree(folder)


def test_an_export_can_be_checked_in_another_program(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """As docs/ledger-audit.md describes it, with nothing of ours."""
    folder = exported(con, tmp_path / "export")
    chain = {int(row["number"]): row for row in read_csv(folder / "chain.csv")}
    leaves = {}
    for kind, name in {
        "attempt": "attempts",
        "decision": "decisions",
        "ended": "decision_ends",
        "event": "events",
    }.items():
        for row in read_csv(folder / f"{name}.csv"):
            number, workflow, version, *columns = row.values()
            texts = [kind, workflow, version, *(None if each == r"\N" else each for each in columns)]
            leaves[int(number)] = sha256(json.dumps(texts, ensure_ascii=False, separators=(",", ":")))
    link, heads = "", {}
    for number, row in sorted(chain.items()):
        assert leaves[number] == row["leaf"]
        link = sha256(f"{link}\n{number}\n{row['kind']}\n{row['leaf']}")
        assert link == row["link"]
        heads[number] = link
    before = ""
    for row in read_csv(folder / "checkpoints.csv"):
        facts = json.loads(row["statement"])
        assert (facts["head"], facts["previous"]) == (heads[facts["last"]], before)
        raw = urlsafe_b64decode(facts["public_key"])
        Ed25519PublicKey.from_public_bytes(raw).verify(urlsafe_b64decode(row["signature"]), row["statement"].encode())
        before = sha256(f"{row['statement']}\n{row['signature']}\n{row['handover']}")


def read_csv(file: Path) -> list[dict[str, str]]:
    """Read a file as an auditor's program would."""
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def sha256(text: str) -> str:
    """Return the hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
