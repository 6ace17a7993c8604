"""Plans at rest: values encrypted when a key is set, rows protected by a checksum.

plan  ->  seal()  ->  plan_<workflow>  ->  unseal()
"""

import hashlib
import json

import polars as pl

from assets.delivery.schemas import PLAN_COLUMNS
from resources.encryption import PREFIX, Cipher

SLICE = 50_000  # rows serialized at once, to bound memory


def seal(plan: pl.DataFrame, cipher: Cipher) -> pl.DataFrame:
    """Encrypt the payloads and the values of the changes; ids, actions and field names stay readable."""
    if not cipher.has_key or plan.is_empty():
        return plan
    rows = plan.select("payload", "changes").iter_rows(named=True)
    payloads = [cipher.encrypt(json.dumps(row)) if row["payload"] else None for row in rows]
    null = pl.lit(None, dtype=pl.String)
    without_values = pl.element().struct.with_fields(null.alias("before"), null.alias("after"))
    return plan.with_columns(
        pl.Series("payload", payloads, dtype=pl.String), pl.col("changes").list.eval(without_values).alias("changes")
    )


def unseal(plan: pl.DataFrame, cipher: Cipher) -> pl.DataFrame:
    """Return the plan as it was before `seal`.

    Raises:
        EncryptionError: The plan was encrypted with another key, or modified.
    """
    if not plan["payload"].str.starts_with(PREFIX).any():
        return plan
    sealed = plan.select("payload", "changes").to_dicts()
    rows = [json.loads(cipher.decrypt(row["payload"])) if row["payload"] else row for row in sealed]
    return plan.with_columns(
        pl.Series("payload", [row["payload"] for row in rows], dtype=pl.String),
        pl.Series("changes", [row["changes"] for row in rows], dtype=plan.schema["changes"]),
    )


def checksum(plan: pl.DataFrame) -> str:
    """Return a hash of all rows that write."""
    digest = hashlib.sha256()
    writing = plan.filter(pl.col("payload").is_not_null()).select(PLAN_COLUMNS).sort("source", "source_id")
    for part in writing.iter_slices(SLICE):
        rows = part.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        digest.update("\n".join(rows.to_list()).encode())
    return digest.hexdigest()[:32]
