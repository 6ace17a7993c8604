"""Find new records that a match rule just misses: `T-5030` with a space at its end would become a second record.

undecided records, all records of the target  ->  near_duplicates()  ->  the records that a person decides about

Values are nearly the same that differ in case, spaces or Unicode form only. The target would take them as different.
"""

import duckdb
import polars as pl

from assets.delivery.diff.records import Records
from assets.delivery.schemas import DELIVER, KEY, NEAR_SCHEMA
from assets.delivery.spec.policies import MatchRule
from assets.delivery.spec.workflow import Workflow
from resources.warehouse.tables import columns_of, quoted, read_frame

NAMED = 5  # records that a reason lists
INVISIBLE = "[\u00ad\u200b-\u200d\u2060\ufeff]"


def read_near_duplicates(con: duckdb.DuckDBPyConnection, workflow: Workflow, undecided: Records) -> pl.DataFrame:
    """Return NEAR_SCHEMA: the records without a link that are nearly the same as others, by one of the match rules."""
    new = undecided.mart.filter(pl.col("disposition") == DELIVER).join(undecided.links, on=KEY, how="anti")
    rules = [rule for rule in workflow.spec.match_rules if rule.field in new.columns]
    known = columns_of(con, workflow.target_state)
    fields = [rule.field for rule in rules if rule.field in known]
    if new.is_empty() or not fields:
        return pl.DataFrame(schema=NEAR_SCHEMA)
    columns = ", ".join(map(quoted, dict.fromkeys(["target_id", *fields])))
    there = read_frame(con, f"select {columns} from {quoted(workflow.target_state)} where target_id is not null")
    return near_duplicates(new, there, [rule for rule in rules if rule.field in fields])


def near_duplicates(new: pl.DataFrame, there: pl.DataFrame, rules: list[MatchRule]) -> pl.DataFrame:
    """Return NEAR_SCHEMA.

    Args:
        new: KEY and the rules' fields, of records that the target may not have.
        there: target_id and the rules' fields, of all records of the target.
        rules: The match rules.
    """
    found = [pl.DataFrame(schema=NEAR_SCHEMA)]
    for rule in rules:
        mine = new.select(*KEY, pl.col(rule.field).alias("value"), folded(pl.col(rule.field)).alias("_folded"))
        mine = mine.drop_nulls("_folded")
        theirs = there.select(
            "target_id", pl.col(rule.field).alias("value"), folded(pl.col(rule.field)).alias("_folded")
        )
        pairs = mine.join(theirs, on="_folded", suffix="_there").filter(~_same(rule))
        found.append(_claims(pairs, rule.field, "target", "target_id"))
        others = mine.filter(pl.col("value").n_unique().over("_folded") > 1)
        pairs = others.join(others, on="_folded", suffix="_there").filter(pl.col("value") != pl.col("value_there"))
        found.append(_claims(pairs, rule.field, "NetSuite", "source_id_there"))
    claims = pl.concat(found)
    return claims.group_by(KEY, maintain_order=True).agg(pl.col("near").str.join("; "))


def folded(value: pl.Expr) -> pl.Expr:
    """Return a text without the differences that people do not see."""
    plain = value.str.normalize("NFKC").str.to_lowercase().str.replace_all(INVISIBLE, "")
    return plain.str.replace_all(r"\s+", " ").str.strip_chars().replace("", None)


def _same(rule: MatchRule) -> pl.Expr:
    """Return whether the rule takes two values as the same; it has decided about them."""
    mine, theirs = pl.col("value"), pl.col("value_there")
    return mine.str.to_lowercase() == theirs.str.to_lowercase() if rule.ignore_case else mine == theirs


def _claims(pairs: pl.DataFrame, field: str, system: str, ids: str) -> pl.DataFrame:
    """Return the pairs as text by record: `name of target 12, 34`."""
    several = pl.col(ids).unique().sort().head(NAMED).str.join(", ").alias("_ids")
    grouped = pairs.group_by(KEY, maintain_order=True).agg(several)
    return grouped.select(*KEY, pl.format("{} of {} {}", pl.lit(field), pl.lit(system), "_ids").alias("near"))
