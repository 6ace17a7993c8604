"""Verify an export on any machine: without the warehouse, with a public key.

FOLDER  ->  hashes of the files  ->  tables in memory  ->  the same checks of signatures, links and rows  ->  Findings
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import duckdb

from assets.delivery.chain.checkpoints import ChainError, read_checkpoints
from assets.delivery.chain.covered import CHAIN, CHECKPOINTS, ERASED, KINDS, PRUNED
from assets.delivery.chain.export import CHAIN_FILE, CHECKPOINT_FILE, FILES, FORMAT, MANIFEST, NULL, file_hash
from assets.delivery.chain.findings import CHANGED, INSERTED, REMOVED, Findings
from assets.delivery.chain.verify import check_checkpoints, check_links
from resources.spreadsheet import from_cells
from resources.warehouse.connection import connect
from resources.warehouse.tables import literal, quoted

UNKNOWN_KEY = "the public key is the one that the export names: compare it with the one that you were given"


def verify_export(folder: Path, public_keys: Collection[str]) -> Findings:
    """Verify an export with trusted public keys; without any, with those that its manifest names, which a notice says.

    Raises:
        ChainError: The folder has no export of this format.
    """
    manifest, found = _manifest(folder), Findings()
    keys = public_keys or manifest["public_keys"]
    if keys and not public_keys:
        found.notices.append(UNKNOWN_KEY)
    missing = _check_files(found, folder, manifest["files"])
    if missing:
        return found
    with connect() as con:
        try:
            _load(con, folder, manifest)
            _check(con, found, manifest, keys)
        except duckdb.Error as error:
            found.add(CHANGED, f"the files cannot be read: {str(error).partition(chr(10))[0]}")
    return found


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        entries, names = manifest["entries"], {*manifest["files"]}
        is_known = manifest["format"] == FORMAT and manifest["file_format"] in {"csv", "parquet"}
        is_known &= all(isinstance(each["sha256"], str) for each in manifest["files"].values())
        is_known &= {"has_values", "public_keys", "last_checkpoint", "first_checkpoint"} <= manifest.keys()
        if is_known and names == {CHECKPOINT_FILE, CHAIN_FILE, *FILES.values()} and len(entries) == len("ab"):
            keys, first = [str(each) for each in manifest["public_keys"]], int(manifest["first_checkpoint"])
            entries = [int(each) for each in entries]
            return {**manifest, "entries": entries, "public_keys": keys, "first_checkpoint": first}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        pass
    raise ChainError(f"{folder}: not an export of `millpond ledger export`, or its {MANIFEST} was damaged")


def _check_files(found: Findings, folder: Path, files: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Compare each file with its hash; return those that are missing."""
    missing = []
    manifest_format = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["file_format"]
    for name, facts in files.items():
        file = folder / f"{name}.{manifest_format}"
        if not file.is_file():
            missing.append(name)
            found.add(REMOVED, f"the file {file.name} is missing")
        elif file_hash(file) != facts["sha256"]:
            found.add(CHANGED, f"the file {file.name} is not the one that was exported")
    return missing


def _load(con: duckdb.DuckDBPyConnection, folder: Path, manifest: Mapping[str, Any]) -> None:
    def read(name: str) -> str:
        file = literal(str(folder / f"{name}.{manifest['file_format']}"))
        if manifest["file_format"] == "parquet":
            return f"read_parquet({file})"
        given = f"read_csv({file}, header = true, all_varchar = true, nullstr = '{NULL}', quote = '\"', delim = ',')"
        return f"({from_cells(given)})" if name in FILES.values() else given

    con.execute(
        f"create table {CHECKPOINTS} as select number::bigint as number, day::date as day, statement, signature,"
        f" handover from {read(CHECKPOINT_FILE)}"
    )
    con.execute(
        f"create table {CHAIN} as select number::bigint as number, kind, workflow, place::bigint as place, record,"
        f" leaf, link, hashes::json::varchar[] as hashes from {read(CHAIN_FILE)}"
    )
    for kind, name in FILES.items():
        columns = ", ".join(f"{quoted(each)}::varchar" for each in KINDS[kind].public)
        values = "private, salt" if manifest["has_values"] else "null as private, null as salt"
        con.execute(
            f"create table {quoted(name)} as select number::bigint as number, {literal(kind)} as kind,"
            f" private_hash, {values}, sha256(to_json(list_concat([{literal(kind)}, workflow, workflow_version],"
            f" [{columns}]::varchar[], [private_hash]))::varchar) as now from {read(name)}"
        )


_ROWS = f"""
with row as ({" union all ".join(f"select * from {name}" for name in FILES.values())}),
entry as (
    select * from {CHAIN} where number between $first and $last and kind in ({", ".join(map(literal, KINDS))})
    and number not in (select try_cast(record as bigint) from {CHAIN} where kind = '{PRUNED}')
)
select case when entry.number is null then '{INSERTED}' when row.number is null then '{REMOVED}' else '{CHANGED}' end,
    coalesce(row.number, entry.number), coalesce(row.kind, entry.kind), coalesce(entry.record, '')
from row full join entry on entry.number = row.number and entry.kind = row.kind
where entry.number is null or row.number is null or row.now <> entry.leaf
    or (row.private is not null and sha256(coalesce(row.salt, '') || row.private) <> row.private_hash)
    or (select count(*) from row as other where other.number = row.number) > 1
order by 2
"""


def _check(
    con: duckdb.DuckDBPyConnection, found: Findings, manifest: Mapping[str, Any], public_keys: Collection[str]
) -> None:
    checkpoints = read_checkpoints(con)
    if not checkpoints or checkpoints[-1].document != manifest["last_checkpoint"]:
        found.add("checkpoint", "the last checkpoint is not the one that the manifest names")
        return
    first, last = manifest["entries"]
    start = checkpoints[0].number
    check_checkpoints(found, checkpoints, public_keys, start)
    before = checkpoints[0] if start < manifest["first_checkpoint"] else None
    covered = checkpoints[1:] if before else checkpoints
    if covered and covered[0].facts.get("first") != first:
        found.add("checkpoint", f"the entries begin with {first}, and their checkpoint with another one")
    check_links(con, found, covered, str(before.facts.get("head", "")) if before else "")
    for what, number, kind, record in con.execute(_ROWS, {"first": first, "last": last}).fetchall():
        found.add(what, f"{kind} {record} of entry {number} was {what} after it was signed", number)
    counted = " union all ".join(f"select kind, count(*) from {name} group by kind" for name in FILES.values())
    found.rows = dict(sorted(con.execute(counted).fetchall()))
    marks = f"select count(*) filter (kind = '{PRUNED}'), count(*) filter (kind = '{ERASED}') from {CHAIN}"
    found.pruned, found.erased = con.execute(marks).fetchall()[0]
