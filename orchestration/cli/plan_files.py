"""Plans as files for reviewers: a page to read, and a table for a spreadsheet.

PlanReview  ->  write_html(), write_csv()
"""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from assets.delivery.audit.held_back import held_back
from assets.delivery.audit.plan_review import FieldChange, PlanReview
from assets.result_texts import counted
from orchestration.cli.html_page import write_page
from resources.atomic_file import write_atomically
from resources.redaction import redact
from resources.spreadsheet import cell

COLUMNS = (
    "plan_id", "workflow", "action", "source", "source_id", "name", "target_id", "field", "before", "after",
    "before_name", "after_name", "reason_code", "reason", "root_source", "root_source_id", "root_code", "root_reason",
)  # fmt: skip


def write_html(reviews: Sequence[PlanReview], path: Path) -> None:
    """Write one self-contained page without scripts, readable by its owner only."""
    write_page("plan", path, reviews=reviews, held_back=held_back, counted=counted)


def write_csv(reviews: Sequence[PlanReview], path: Path) -> None:
    """Write a row for each field of each record that is written, and one for each record that is held back.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for review in reviews:
        for row in _rows(review):
            writer.writerow([cell(row.get(name)) for name in COLUMNS])
    write_atomically(path, redact(text.getvalue()), mode=0o600, durable=False)


def _rows(review: PlanReview) -> Iterator[dict[str, object]]:
    plan = {"plan_id": review.plan["plan_id"], "workflow": review.plan["workflow"]}
    for write in review.writes:
        for each in write.fields or [FieldChange("", None, None)]:
            yield {**plan, **vars(write), **vars(each)}
    for row in review.held.iter_rows(named=True):
        yield {**plan, **row}
