"""Plans at rest: with a key, values are encrypted and the plan is signed; without one, a checksum detects accidents.

plan  ->  seal(), signature()  ->  plan_<workflow>, sync_plans.checksum  ->  opened()

Each encrypted row holds its own identity, so that a row with the values of another one is recognized and named.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from assets.delivery.schemas import KEY, PARENT, PLAN_COLUMNS
from assets.delivery.target import WRITING, Action
from resources.encryption import PREFIX, Cipher, EncryptionError
from resources.warehouse.tables import parts_of

SLICE = 50_000  # rows between which the checksum has line breaks
# columns that stay readable, and that the values belong to
_IDENTITY = ["plan_id", *(name for name in PLAN_COLUMNS if name not in {"payload", "changes"})]
# columns of sync_plans that never change while a plan can be sent; the state says whether it needs approval
SIGNED = (
    "plan_id", "workflow", "kind", "undone_run", "requested_by", "made_by", "made_at", "expires_at", "state",
    "data_version", "clock_origin", "clock_s",
)  # fmt: skip


def seal(plan: pl.DataFrame, cipher: Cipher) -> pl.DataFrame:
    """Encrypt the payloads and the values of the changes; ids, actions and field names stay readable."""
    if not cipher.has_key or plan.is_empty():
        return plan
    rows = zip(plan.select("payload", "changes").iter_rows(named=True), _identities(plan), strict=True)
    payloads = [cipher.encrypt(json.dumps({**row, "row": own})) if row["payload"] else None for row, own in rows]
    null = pl.lit(None, dtype=pl.String)
    without_values = pl.element().struct.with_fields(null.alias("before"), null.alias("after"))
    return plan.with_columns(
        pl.Series("payload", payloads, dtype=pl.String), pl.col("changes").list.eval(without_values).alias("changes")
    )


def unseal(plan: pl.DataFrame, cipher: Cipher) -> pl.DataFrame:
    """Return the plan as it was before `seal`, to show it; `opened` also checks that it is still that plan.

    Raises:
        EncryptionError: A row was encrypted with another key, or modified; the text names the row.
    """
    return _with_values(plan, _values(plan, cipher)) if _is_sealed(plan, cipher) else plan


def opened(sealed: pl.DataFrame, stored: Mapping[str, object], cipher: Cipher) -> pl.DataFrame:
    """Return the plan as it was before `seal`, after a check that no row and nothing about it was changed.

    Args:
        sealed: Its rows.
        stored: Its row of sync_plans.
        cipher: The encryption.

    Raises:
        EncryptionError: It was stored with another key or without one, or was modified; the text names the row.
    """
    _require_one_each(sealed)
    plan = sealed
    if _is_sealed(sealed, cipher):
        values = _values(sealed, cipher)  # first: the text names the row that was modified
        for row, given, own in zip(sealed.iter_rows(named=True), values, _identities(sealed), strict=True):
            if row["payload"] and given.get("row") != own:
                raise EncryptionError(f"{_name(row)} was modified after it was stored")
        plan = _with_values(sealed, values)
    if not cipher.is_signed(checksum(sealed), _facts(stored), str(stored["checksum"])):
        raise EncryptionError("its rows were modified after it was stored")
    _require_parents(plan)
    return plan


def _require_one_each(plan: pl.DataFrame) -> None:
    """Raise EncryptionError if a record is there twice, also in rows that write nothing, which are not signed."""
    for row in plan.filter(pl.struct(KEY).is_duplicated()).head(1).iter_rows(named=True):
        raise EncryptionError(f"{_name(row)} was modified after it was stored: the plan has it more than once")


def _require_parents(plan: pl.DataFrame) -> None:
    """Compare the rows that write nothing, which are not signed, with what the others say of them.

    Raises:
        EncryptionError: One names another target record as the parent of a row that writes, or would write itself.
    """
    writing = plan.filter(pl.col("payload").is_not_null())
    silent = plan.filter(pl.col("payload").is_null())
    moved_to = pl.col("changes").list.eval(
        pl.element().struct.field("after").filter(pl.element().struct.field("field") == PARENT)
    )
    is_moved = pl.col("changes").list.eval(pl.element().struct.field("field")).list.contains(PARENT)
    create = pl.col("action") == Action.CREATE
    below = writing.filter(create | is_moved).select(
        pl.col("parent_source").alias("source"), pl.col("parent_source_id").alias("source_id"),
        pl.when(create).then("parent_target_id").otherwise(moved_to.list.first()).alias("_parent"),
    )  # fmt: skip
    named = silent.join(below, on=KEY, how="inner").filter(pl.col("target_id").ne_missing(pl.col("_parent")))
    forged = pl.concat([silent.filter(pl.col("action").is_in(list(WRITING))).select(KEY), named.select(KEY)])
    for row in forged.head(1).iter_rows(named=True):
        raise EncryptionError(f"{_name(row)} was modified after it was stored")


def signature(sealed: pl.DataFrame, stored: Mapping[str, object], cipher: Cipher) -> str:
    """Return what `opened` compares: a checksum of the rows that write, signed if there is a key."""
    return cipher.sign(checksum(sealed), _facts(stored))


def _facts(stored: Mapping[str, object]) -> str:
    return json.dumps([str(stored[name]) for name in SIGNED])


def _is_sealed(plan: pl.DataFrame, cipher: Cipher) -> bool:
    return cipher.has_key or bool(plan["payload"].str.starts_with(PREFIX).any())


def _values(plan: pl.DataFrame, cipher: Cipher) -> list[dict[str, Any]]:
    return [_decrypted(row, cipher) for row in plan.iter_rows(named=True)]


def _decrypted(row: dict[str, Any], cipher: Cipher) -> dict[str, Any]:
    if not row["payload"]:
        return row
    try:
        values: dict[str, Any] = json.loads(cipher.decrypt(row["payload"], allow_plain=False))
    except EncryptionError as error:
        raise EncryptionError(f"{_name(row)}: {error}") from error
    return values


def _with_values(plan: pl.DataFrame, values: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    return plan.with_columns(
        pl.Series("payload", [row["payload"] for row in values], dtype=pl.String),
        pl.Series("changes", [row["changes"] for row in values], dtype=plan.schema["changes"]),
    )


def _identities(plan: pl.DataFrame) -> list[str]:
    """Return a hash of each row's readable columns."""
    texts = plan.select(pl.struct(_IDENTITY).struct.json_encode()).to_series()
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts.to_list()]


def _name(row: Mapping[str, object]) -> str:
    return " ".join(str(row[name]) for name in KEY)


def checksum(plan: pl.DataFrame) -> str:
    """Return a hash of all rows that write."""
    digest = hashlib.sha256()
    writing = plan.filter(pl.col("payload").is_not_null()).select(PLAN_COLUMNS).sort("source", "source_id")
    for block in writing.iter_slices(SLICE):
        separator = b""
        for part in parts_of(block):
            rows = part.select(pl.struct(pl.all()).struct.json_encode()).to_series()
            digest.update(separator + "\n".join(rows.to_list()).encode())
            separator = b"\n"
    return digest.hexdigest()[:32]
