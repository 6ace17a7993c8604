"""Print plans for a review: first everything that would be written, then what is held back, by root cause.

PlanReview  ->  print_reviews() on the terminal, write_files() for reviewers  ->  review_code()
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from assets.delivery.audit.plan_review import PlannedWrite, PlanReview
from assets.delivery.ledger.plans import PlanState
from assets.delivery.target import Action
from assets.result_texts import counted, duration
from orchestration.cli.exit_codes import CLEAN, HELD_BACK, WAITS, worst
from orchestration.cli.facts import note
from orchestration.cli.output import print_line, print_wrapped
from orchestration.cli.plan_files import write_csv, write_html
from orchestration.cli.summary import NEEDS_ATTENTION

SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.ADOPT: ("=", "cyan"),
    Action.UPDATE: ("~", "yellow"),
    Action.REACTIVATE: ("+", "green"),
    Action.DEACTIVATE: ("-", "red"),
}
NO_VALUE = "∅"


def print_reviews(reviews: Sequence[PlanReview], *, limit: int | None = None) -> None:
    """Print the writes of all plans, and then what they hold back.

    Args:
        reviews: The plans.
        limit: Records to print of each plan; all when omitted.
    """
    note(plans=[each.as_dict() for each in reviews])
    for review in reviews:
        _print_writes(review, limit)
    held = [each for each in reviews if each.held.height]
    if held:
        print_line("held back", "bold")
    for review in held:
        print_wrapped(f"{review.plan['workflow']}: {counted(review.held.height, 'records')}", indent=2)
        for cause in review.causes:
            print_wrapped(cause, indent=4)
        new = review.is_new_to_hold.height
        if new:
            print_wrapped(f"{new:,} of them {'was' if new == 1 else 'were'} not held back before", "yellow", indent=4)


def write_files(reviews: Sequence[PlanReview], html: Path | None, csv: Path | None) -> None:
    """Write the files for reviewers that were asked for."""
    for path, write in ((html, write_html), (csv, write_csv)):
        if path:
            write(reviews, path)
            print_line(f"written to {path}")


def review_code(reviews: Sequence[PlanReview]) -> int:
    """Return the exit code: a plan waits for approval, or holds records back that were not held back before."""
    codes = [WAITS if each.plan["state"] == PlanState.WAITING else CLEAN for each in reviews]
    new = (each.is_new_to_hold.filter(pl.col("action").is_in(NEEDS_ATTENTION)).height for each in reviews)
    return worst(*codes, *(HELD_BACK if rows else CLEAN for rows in new))


def _print_writes(review: PlanReview, limit: int | None) -> None:
    plan, writes = review.plan, review.writes
    print_wrapped(f"plan {plan['plan_id']} of {plan['workflow']}: {counted(len(writes), 'records')} to write", "bold")
    shown = writes if limit is None else writes[:limit]
    for write in shown:
        _print_write(write, is_hidden=review.is_hidden)
    if len(shown) < len(writes):
        print_wrapped(f"… and {len(writes) - len(shown):,} more", "dim", indent=2)
    for each in review.conflicts:
        name = f"  {each.name}" if each.name else ""
        print_wrapped(f"! conflict    {each.source} {each.source_id}{name} ({each.reason})", "yellow", indent=2)
    if plan["state"] == PlanState.WAITING and plan["note"]:
        print_wrapped(f"waits for approval: {plan['note']}", "yellow", indent=2)
    if writes:
        print_wrapped(_cost(review), indent=2)
    rest = _not_written(review)
    if rest:
        print_wrapped(f"not written: {rest}", "dim", indent=2)


def _print_write(write: PlannedWrite, *, is_hidden: bool) -> None:
    action = Action(write.action)
    sign, style = SIGNS[action]
    name = f"  {write.name}" if write.name else ""
    why = f" ({write.reason})" if action not in {Action.CREATE, Action.UPDATE} and write.reason else ""
    print_wrapped(f"{sign} {write.action:<10}  {write.source} {write.source_id}{name}{why}", style, indent=2)
    for each in write.fields if action is not Action.CREATE else ():
        values = "" if is_hidden else f": {each.was or NO_VALUE} → {each.becomes or NO_VALUE}"
        print_wrapped(f"{each.field}{values}", "dim", indent=6)


def _cost(review: PlanReview) -> str:
    plan = review.plan
    left, over = "", plan["calls_left"] is not None and plan["calls_needed"] > plan["calls_left"]
    if plan["calls_left"] is not None:
        left = f" ({plan['calls_left']:,} left today{': the rest is deferred' if over else ''})"
    command, until = review.how_to_send
    sends = f"`{command}` {until}" if command else until
    return f"requests: {plan['calls_needed']:,}{left}; time: {duration(plan['seconds_needed'])}; {sends}"


def _not_written(review: PlanReview) -> str:
    """Return the records that stay as they are, by action and reason."""
    parts = []
    for action in (Action.UNCHANGED, Action.SKIPPED, Action.DEFERRED):
        rows = [each for each in review.counts if each["action"] == action]
        total = sum(each["records"] for each in rows)
        reasons = "; ".join(f"{each['reason'] or each['reason_code']}: {each['records']:,}" for each in rows)
        if total:
            parts.append(
                f"{total:,} {action}" + ("" if action is Action.UNCHANGED and len(rows) == 1 else f" ({reasons})")
            )
    return ", ".join(parts)
