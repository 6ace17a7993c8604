"""Every reason code: what it means, why it happens, whose task it is and what to do.

reason code of a decision  ->  reason_of()  ->  Reason, for the console and for docs/reference/reasons.md

A code that the target gave is `rejected_<code>`: the target's own number, or one of ours from before sending.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

NETSUITE, TARGET, FILE, MILLPOND, NOTHING = "NetSuite", "target", "workflow file", "Millpond", "no one"
REJECTED: Final = "rejected"


class Reason(NamedTuple):
    """One reason code.

    Attributes:
        actions: The decisions that it explains.
        title: The cause in a few words.
        cause: When it happens.
        task: Where something has to be done.
        fix: What to do there.
    """

    actions: str
    title: str
    cause: str
    task: str
    fix: str


_SENT: Mapping[str, Reason] = {
    "new": Reason(
        "create", "it is new", "The record is selected, and no record of the target matches it.", NOTHING,
        "Nothing. If it exists in the target under another key, link it: `millpond link`.",
    ),
    "matched": Reason(
        "adopt", "an existing record matches",
        "A rule of `match`, or a person, recognized a record of the target that does not have our key yet.", NOTHING,
        "Nothing. If it is another record: `millpond unlink`, or make the rule stricter.",
    ),
    "source_changed": Reason(
        "update", "NetSuite changed", "A mapped value differs from what was sent last.", NOTHING, "Nothing.",
    ),
    "workflow_changed": Reason(
        "update", "the workflow file changed",
        "The file changed since the record was sent; it gives other values, or NetSuite changed the record as well.",
        NOTHING, "Nothing; read the first plan after a change of the file.",
    ),
    "drift": Reason(
        "update", "it was edited in the target",
        "The target shows other values than were sent, and `drift: restore` sends ours again.", TARGET,
        "Edit the record in NetSuite instead; or set `drift: report` or `adopt`.",
    ),
    "live_again": Reason(
        "reactivate", "it is live again", "The record is inactive in the target, and selected and active in NetSuite.",
        NOTHING, "Nothing.",
    ),
    "deleted": Reason(
        "deactivate, skipped, unchanged, quarantined", "it was deleted in NetSuite",
        "NetSuite has a deletion note of the record. It is held back if it is to be reported (`lifecycle`).",
        NETSUITE, "Nothing; for a child that waits, choose another parent in NetSuite.",
    ),
    "inactive": Reason(
        "deactivate, skipped, unchanged, quarantined", "it is inactive in NetSuite",
        "The box *Inactive* is ticked in NetSuite. It is held back if it is to be reported (`lifecycle`).",
        NETSUITE, "Activate it in NetSuite, if it should be exported.",
    ),
    "parent_inactive": Reason(
        "deactivate, skipped, unchanged", "the parent is inactive", "Its parent is deactivated, and it with it.",
        NETSUITE,
        "Activate the parent, or choose another one.",
    ),
    "undo": Reason(
        "update, deactivate, reactivate", "a run is undone", "A person asked to revert a run.", NOTHING,
        "Review the plan and apply it.",
    ),
}  # fmt: skip
_UNCHANGED: Mapping[str, Reason] = {
    "identical": Reason(
        "unchanged", "nothing differs", "The target already has these values.", NOTHING, "Nothing.",
    ),
    "not_monitored": Reason(
        "unchanged", "other fields differ", "Only fields outside `monitored_fields` differ.", FILE,
        "Add the field to `monitored_fields`, or send the record once: `millpond resend`.",
    ),
    "kept_so": Reason(
        "unchanged", "the target normalizes the value",
        "The target changed the value as it was written (it trims, cuts or rounds), so it is not sent again.", NOTHING,
        "Nothing; to get another value, map one that the target keeps.",
    ),
    "drift_reported": Reason(
        "unchanged", "it was edited in the target", "`drift: report` leaves edits in the target as they are.", TARGET,
        "Correct the record in the target, or set `drift: restore`.",
    ),
    "drift_adopted": Reason(
        "unchanged", "an edit in the target is accepted",
        "`drift: adopt` accepts an edit until the NetSuite record changes.", NOTHING, "Nothing.",
    ),
}  # fmt: skip
_SKIPPED: Mapping[str, Reason] = {
    "stage_lead": Reason(
        "skipped, deactivate, quarantined, unchanged", "leads take no part", "`select.stages` leaves leads out.", FILE,
        "Set `lead: include`, if they should be exported.",
    ),
    "stage_prospect": Reason(
        "skipped, deactivate, quarantined, unchanged", "prospects take no part",
        "`select.stages` leaves prospects out.", FILE,
        "Set `prospect: include`, if they should be exported.",
    ),
    "stage_customer": Reason(
        "skipped, deactivate, quarantined, unchanged", "customers take no part",
        "`select.stages` leaves customers out.", FILE,
        "Set `customer: include`, if they should be exported.",
    ),
    "out_of_subsidiary": Reason(
        "skipped, deactivate, quarantined, unchanged",
        "it is in another subsidiary", "The record does not belong to `select.subsidiary`.",
        FILE, "Change `select`, if it should be included.",
    ),
    "flag_not_set": Reason(
        "skipped, deactivate, quarantined, unchanged",
        "the export box is not ticked", "The column of `select.require_flag` is not checked.",
        NETSUITE, "Tick the box on the record, if it should be exported.",
    ),
    "filtered_out": Reason(
        "skipped, deactivate, quarantined, unchanged",
        "the workflow leaves it out", "The record does not meet `select.where`.", FILE,
        "Change `select`, if it should be included.",
    ),
    "no_match": Reason(
        "skipped", "it is not in the target", "The workflow has `create: false`, and nothing in the target matches.",
        TARGET, "Create the record in the target, link one, or set `create: true`.",
    ),
    "undone": Reason(
        "skipped", "a person undid it", "A run that sent the record was undone, so it is left alone.", NOTHING,
        "Nothing: it goes on when the NetSuite record or the workflow file changes.",
    ),
    "not_picked": Reason(
        "skipped", "it is not selected for import", "`imports.select` is `selected`, and no one selected the record.",
        MILLPOND, "Select it: `millpond import`.",
    ),
    "not_imported": Reason(
        "skipped", "it was not imported yet", "An update creates no records.", MILLPOND, "`millpond import`.",
    ),
    "deleted_in_target": Reason(
        "quarantined, skipped", "it was deleted in the target",
        "The target no longer has the record that Millpond linked, and the file says `deleted_in_target: report`, or it"
        " is an update.", TARGET,
        "To create it again, `millpond link RECORD new --workflow WORKFLOW`, or `millpond import`; otherwise"
        " deactivate it in NetSuite.",
    ),
    "not_shown_in_target": Reason(
        "quarantined", "the target no longer shows it",
        "The target no longer shows the linked record, and does not list it as deleted: a filter set may hide it from"
        " the integration's user.", TARGET,
        "Give the user access again; or, if it is gone, `millpond link RECORD new --workflow WORKFLOW` creates it"
        " again.",
    ),
    "left_for_update": Reason(
        "skipped", "an import changes nothing", "The record is in the target and differs.", MILLPOND,
        "`millpond update` sends the difference.",
    ),
    "not_asked": Reason(
        "skipped", "the target could not be asked",
        "It may exist in the target, where listings leave it out, and the quota had no room to look it up.",
        NOTHING, "Wait: the next run asks again.",
    ),
    "other_workflow": Reason(
        "skipped", "another workflow delivers it",
        "Another workflow had the record first; it maps the field that would change, or keeps the record active.",
        FILE, "Nothing, if this file does not select the record. Otherwise, make the `select` of the two files exclude"
        " each other, or map each field in one of them.",
    ),
    "not_changed_since": Reason(
        "skipped",
        "it did not change since that date",
        "The run was limited to records that changed after a date (`--since`), and this one did not.",
        NOTHING,
        "Nothing: a run without the date sends it.",
    ),
    "stale_source": Reason(
        "skipped", "NetSuite changed since the plan", "The record changed after the plan was made.", NOTHING,
        "Nothing: the next plan has it.",
    ),
    "stale_target": Reason(
        "skipped", "the target changed since the plan", "The target's record changed after the plan was made.", NOTHING,
        "Nothing: the next plan has it.",
    ),
    "conflict": Reason(
        "skipped", "it was edited since the run", "An undo leaves records alone that were edited after the run.",
        TARGET, "Correct the record in the target, if it should be reverted as well.",
    ),
    "nothing_to_undo": Reason(
        "skipped", "there is nothing to undo", "The target already shows the values from before the run.", NOTHING,
        "Nothing: once the undo is applied, the next runs leave these values as they are.",
    ),
}  # fmt: skip
_HELD: Mapping[str, Reason] = {
    "required_blank": Reason(
        "quarantined", "a required value is blank", "A row has `required`, or the target needs the field.", NETSUITE,
        "Fill in the field in NetSuite, or map another one.",
    ),
    "too_long": Reason(
        "quarantined", "a value is too long", "It has more characters than the target or `max_length` allows.",
        NETSUITE, "Shorten the value in NetSuite, or cut it in the file: `left(text, 50)`.",
    ),
    "value_not_in_list": Reason(
        "quarantined", "the value list has no entry", "`values` or `reference` of the row has no entry for the value.",
        FILE, "Map the value in the row's `values`, correct it in NetSuite, or set `on_unmapped`.",
    ),
    "not_in_list": Reason(
        "quarantined", "the target does not know the value",
        "The target's list field does not have this choice, or the currency is not enabled there.", FILE,
        "Map the value to one of the target's in the row's `values`, or add it, or enable the currency, in the target.",
    ),
    "not_looked_up": Reason(
        "quarantined", "a looked-up value is not known", "The `lookup` finds no row for the value, or several.", FILE,
        "Correct the value, set `on_multiple: first`, or set `on_unmapped`.",
    ),
    "unusable_value": Reason(
        "quarantined", "an expression cannot use a value", "For example a text that is cast to a number.", NETSUITE,
        "Correct the value in NetSuite, or use `try_cast` in the file.",
    ),
    "not_a_number": Reason(
        "quarantined", "a number has no value", "For example after a division by zero.", FILE,
        "Correct the expression: `x / nullif(y, 0)`.",
    ),
    "wrong_form": Reason(
        "quarantined", "a value has the wrong form", "A number, date or box of the target gets another kind of text.",
        NETSUITE, "Correct the value in NetSuite, or convert it in the file.",
    ),
    "illegal_character": Reason(
        "quarantined", "a control character", "XML cannot carry it.", NETSUITE, "Type the text again in NetSuite.",
    ),
    "foreign_character": Reason(
        "quarantined", "a character outside the account's set", "`options: {charset: …}` names a set without it.",
        NETSUITE, "Spell the text without it, or switch the account to Unicode.",
    ),
    "key_blank": Reason(
        "quarantined", "its key is blank", "The row of the key has no value.", NETSUITE,
        "Fill in the field that is the key.",
    ),
    "stage_unknown": Reason(
        "quarantined", "the stage is not known",
        "Neither the stage nor the type of the status says whether this is a lead, a prospect or a customer.", NETSUITE,
        "Give the role access to customer statuses, or correct the status.",
    ),
    "no_parent": Reason(
        "quarantined", "there is no parent", "`parent_required`, and the record names none.", NETSUITE,
        "Choose the parent in NetSuite.",
    ),
    "parent_ring": Reason(
        "quarantined", "the parents form a cycle", "A record is its own ancestor.", NETSUITE,
        "Break the cycle of parents in NetSuite.",
    ),
    "too_deep": Reason(
        "quarantined", "the hierarchy is too deep", "It is below `max_level`.", NETSUITE,
        "Move the record up; the target has fewer levels.",
    ),
    "missing_without_note": Reason(
        "quarantined, deactivate, skipped, unchanged", "NetSuite no longer shows it",
        "NetSuite shows the record no longer and has no deletion note of it: the role may have lost access.", NETSUITE,
        "Give the role access again; or, if it is gone, deactivate it in the target, or apply `lifecycle.missing`.",
    ),
    "forgotten": Reason(
        "quarantined, skipped, unchanged", "a person was forgotten",
        "The record's personal values were erased (`millpond forget`). Nothing is sent for it, so that the target keeps"
        " what it has, instead of blanks.", TARGET,
        "Delete or anonymize the record in the target. To export it again: `millpond forget --lift`, then"
        " `millpond resend`.",
    ),
    "flag_blank": Reason(
        "quarantined, deactivate, skipped, unchanged", "the export box is blank",
        "The column of `select.require_flag` is blank, not unticked: the role may have lost access.", NETSUITE,
        "Give the role access to the field, or untick the box.",
    ),
    "condition_blank": Reason(
        "quarantined, deactivate, skipped, unchanged", "a value that the condition needs is blank",
        "A blank leaves open whether the record meets `select.where`: the role may have lost access to the field.",
        NETSUITE, "Give the role access to the field, or fill the value in; `coalesce` in the file decides blanks.",
    ),
    "cannot_deactivate": Reason(
        "quarantined", "it cannot be deactivated", "The workflow does not map the target's active field.", FILE,
        "Map the target's active field.",
    ),
    "not_read": Reason(
        "blocked", "a value was not read", "What the value is taken from was never read, or NetSuite does not show it.",
        NETSUITE, "Give the integration role access to it, or run the workflow that the reason names.",
    ),
    "parent_missing": Reason(
        "blocked", "the parent is not in the target", "The parent is held back or not selected, or was not delivered.",
        NOTHING, "Solve the parent's own cause; this record follows by itself.",
    ),
    "several_candidates": Reason(
        "ambiguous", "several records of the target match",
        "A match rule finds several records, or one with another NetSuite id; or a create had no response.", TARGET,
        "Choose one on the page Match or with `millpond link`, or `new`.",
    ),
    "near_duplicate": Reason(
        "ambiguous", "it is nearly the same as another record",
        "By a field of `match`, it differs in case, spaces or Unicode form only: it would become a second record.",
        NETSUITE, "Correct the name in NetSuite; or choose the record with `millpond link`, or `new` if it is another.",
    ),
    "quota_exhausted": Reason(
        "deferred", "the day's requests are used up", "The target accepts no more requests today.", NOTHING,
        "Wait: the next run continues.",
    ),
    "unknown": Reason(
        "failed", "the outcome is not known", "The record was sent, and no usable response came.", NOTHING,
        "Nothing: the next run reads the target and decides.",
    ),
    "not_sent": Reason(
        "failed", "the run stopped before it", "An error ended the run before the record was sent.", MILLPOND,
        "Solve the error of the run; the next one sends the record.",
    ),
}  # fmt: skip
_REJECTED: Mapping[str, Reason] = {
    REJECTED: Reason(
        "quarantined", "the target rejected it",
        "The target rejected the record, with a number of its own: `rejected_<number>`. The reason quotes its text.",
        TARGET,
        "Correct what the target names: in NetSuite, and the next run sends the record; or there, and `millpond"
        " resend` sends it, or a run after `retry_rejected_after_hours`.",
    ),
    "rejected_name_missing": Reason(
        "quarantined", "the option has no name", "Precoro needs a name.", NETSUITE, "Fill in the name.",
    ),
    "rejected_name_too_long": Reason(
        "quarantined", "the option's name is too long", "Precoro limits names by level.", NETSUITE, "Shorten the name.",
    ),
    "rejected_too_deep": Reason(
        "quarantined", "the option is too deep", "Precoro has five levels.", NETSUITE, "Move the record up.",
    ),
    "rejected_already_exists": Reason(
        "quarantined", "Precoro has an option of this name", "It returned that option instead of making another one.",
        TARGET, "Link the record to it with `millpond link`, or rename one of the two.",
    ),
    "rejected_untied": Reason(
        "quarantined", "the legal entity was rejected",
        "Precoro has the option, but not its restriction to `legal_entities`.", FILE,
        "Correct the legal entities in the file.",
    ),
    "rejected_illegal_value": Reason(
        "quarantined", "a field cannot be sent", "Its name or value has no form in XML.", FILE, "Correct the row.",
    ),
    "rejected_illegal_character": Reason(
        "quarantined", "a control character", "XML cannot carry it.", NETSUITE, "Type the text again in NetSuite.",
    ),
    "rejected_foreign_character": Reason(
        "quarantined", "a character outside the account's set", "See `foreign_character`.", NETSUITE,
        "Spell the text without it.",
    ),
    "rejected_suffix_in_name": Reason(
        "quarantined", "the node's name ends like an inactive one's",
        "The end of its name would say that the node is inactive, and it is active.", NETSUITE,
        "Rename the record in NetSuite, or choose another `inactive_suffix` in the file.",
    ),
    "rejected_not_taken": Reason(
        "quarantined", "the target keeps its value",
        "It answered that the record was saved, but the field has the value of before: it may be read-only, hidden or"
        " disabled.", TARGET,
        "Make the field writable for the integration user, and `millpond resend` sends the record, or a run after"
        " `retry_rejected_after_hours`; or remove the field's row from the file.",
    ),
    "rejected_no_key": Reason(
        "quarantined", "the key is blank", "Without it the record could not be found again.", FILE, "Map the key.",
    ),
    "rejected_no_target_id": Reason(
        "quarantined", "the target's id is missing", "A change needs the target's own id.", MILLPOND,
        "Run the workflow again, which reads the target.",
    ),
    "rejected_not_added": Reason(
        "quarantined", "people add these nodes", "The hierarchy is identified by a field that people fill in.", TARGET,
        "Add the node in SuiteProjects Pro.",
    ),
}  # fmt: skip
GROUPS: Final[Mapping[str, Mapping[str, Reason]]] = {
    "Held back": _HELD,
    "Rejected by the target": _REJECTED,
    "Skipped": _SKIPPED,
    "Sent": _SENT,
    "Unchanged": _UNCHANGED,
}
REASONS: Final[Mapping[str, Reason]] = {code: each for group in GROUPS.values() for code, each in group.items()}


def is_documented(action: str, code: str) -> bool:
    """Return whether a code, which every decision has, is documented for a decision."""
    found = reason_of(code)
    return found is not None and action in {each.strip() for each in found.actions.split(",")}


def reason_of(code: str) -> Reason | None:
    """Return the meaning of a code; one that the target gave is `rejected`."""
    return REASONS.get(code) or (REASONS[REJECTED] if code.startswith(REJECTED) else None)
