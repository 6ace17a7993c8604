"""The reasons in words: what 0.1 stored, as 0.2 says it, so that an unchanged decision stays the same decision."""

import re
from collections.abc import Sequence

from resources.warehouse.tables import literal

CANARY = (
    r"nothing more is sent before the mapping is mended, or somebody accepts it by releasing the next plan",
    "fix the mapping, or accept the difference by applying the next plan; nothing more is sent until then",
)

# pattern and replacement, applied in order; `^` also matches behind `is not in the target: `, where a child quotes the
# reason of its parent
REASONS = (
    CANARY,
    # of the mapping
    (r" is not ticked\b", " is not checked"),
    (r"does not meet: ", "does not meet the condition: "),
    (r": the value list does not name the source value$", ": the source value is not in the value list"),
    (r" finds nothing for the source value, or several$", " has no value for the source value, or several"),
    (r" has not delivered it$", " has not delivered the record"),
    (r" is blank and the target needs it$", " is required but blank"),
    (r"^its parents go round in a circle$", "cycle in the parent hierarchy"),
    (r" is deeper than the (\d+) that the target takes$", r" is deeper than the target's maximum of \1"),
    # of the target's limits
    (r" is blank: it could not be found again$", " is blank, so the record could not be found again"),
    (r" is longer than the target's (\d+) characters$", r" is longer than \1 characters, the target's limit"),
    (r" is not one of the target's values for it$", " is not one of the values that the target accepts"),
    (r" is no (boolean|number|date)$", r" is not a valid \1"),
    # of parents
    (r"^switched off with its parent", "deactivated with its parent"),
    (r"^the parent is not among the source records$",
     "its parent is not among the source records, or its workflow has not run"),
    (r"^the parent is not in the target and will not be$", "its parent is not in the target and will not be created"),
    (r"\b(\w+ \S+ is not in the target: )", r"parent \1"),
    # of the decision
    (r"; left alone until NetSuite or the workflow changes$",
     "; not sent again until the NetSuite record or the workflow changes"),
    (r"; map the field (\S+) so that it can be switched off$", r", but cannot be deactivated: map the field \1"),
    (r"; already off$", "; already inactive in the target"),
    (r"the target refused it: ", "the target rejected it: "),
    (r"^the target has no such record, and this workflow adds none$",
     "not in the target, and this workflow creates no records"),
    (r"^a person said that it is this record$", "linked manually"),
    (r"^the target has it already, by the same (\S+)$", r"already in the target, matched by \1"),
    (r"^the target keeps it so; \d+ in the target: ", "normalized by the target: "),
    (r"^live in NetSuite; \d+ in the target: ", "active in NetSuite; differs in: "),
    (r"^edited in the target since, left as it is; \d+ in the target: ", "edited in the target and not restored: "),
    (r"^edited in the target since, taken as it is until NetSuite changes; \d+ in the target: ",
     "edited in the target and accepted until the NetSuite record changes: "),
    (r"^edited in the target since; \d+ in the target: ", "edited in the target: "),
    (r"^the workflow was edited; \d+ in the target: ", "the workflow changed; differs in: "),
    (r"^differs: \d+ in the target: ", "differs in: "),
    (r"^the record that was linked by hand is not there, or is linked twice; `millpond link` another one$",
     "the manually linked record is missing or linked twice; link another one with `millpond link`"),
    (r"^a record with the same (.*) holds another id; `millpond link` says whether it is it$",
     r"a target record with the same \1 has a different NetSuite id; confirm the match with `millpond link`"),
    (r"^(\d+) records claim the same (.*); `millpond link` says which is it$",
     r"\1 records share the same \2; choose one with `millpond link`"),
    # of a run's mode
    (r"^imported, and deleted in the target since; an import makes it anew$",
     "deleted in the target after its import; import it again to recreate it"),
    (r"^nobody picked it for import$", "not selected for import"),
    (r"^not imported yet; an update creates nothing$", "not imported yet; an update creates no records"),
    (r"^differs; an import changes nothing$", "differs from the target; an import changes no records"),
    (r"^it was there, and whether it still is could not be asked in this run; the next one goes on$",
     "may still exist in the target; the daily quota left no request to check, the next run continues"),
    # of sending, recovery and undoing
    (r"^the target does not show it; decided anew$", "the target does not have it; decided again"),
    (r"^the target does not tell parents; sent once more$", "the target does not return parents; sent again"),
    (r"^what was sent is sealed with a key that is not set now; decided anew$",
     "its values are encrypted with a key that is not set; decided again"),
    (r"^not sent: the run stopped before it ", "not sent: the run stopped first "),
    (r"^not sent: a hint was quicker$", "superseded by a real-time update"),
    (r"changed since the plan was made$", "changed after the plan was made"),
    (r" since the plan was made: ", " after the plan was made: "),
    (r"^the target's record is gone$", "the record is gone from the target"),
    (r"^moved since to another parent; left as it is$", "moved to another parent after the run; left as it is"),
    (r"^its former parent is not there, or none of ours; left as it is$",
     "its former parent is gone or not ours; left as it is"),
    (r"^edited since: (.*); left as it is$", r"edited after the run: \1; left as it is"),
    (r"^the target shows it as it was before$", "the target already shows the values from before the run"),
    (r"^takes back what run (\w+) did: ", r"undoes run \1: "),
)  # fmt: skip

# of sync_plans and sync_runs
NOTES = (
    CANARY,
    (r"^a newer plan was made$", "replaced by a newer plan"),
    (r"^the run ended without a word; what it sent was read back from the target by the next one$",
     "the run died; the next run checked in the target what it had sent"),
    (r"; allowed are (\d+) \((\d+) rows or (\S+) % of (\d+)\)\. If that is meant, release",
     r"; the limit is \1 (\3 % of \4, at least \2). If this is intended, apply"),
    (r"raise guards\.blank ", "raise guards.clear_values "),
    (r"raise guards\.rekey ", "raise guards.key_change "),
    (r" in the workflow file and run again\.", " in the workflow file and run again"),
    (r"the source has no record at all, the target has (\d+) of ours",
     r"the source has no records, but the target has \1 of ours"),
    (r"the source has (\d+) records, last time it had (\d+)",
     r"the source has \1 records, down from \2 in the last run"),
)  # fmt: skip


def renewed(column: str, texts: Sequence[tuple[str, str]]) -> str:
    """Return the SQL expression of a column's text in the words of 0.2."""
    expression = column
    for pattern, replacement in texts:
        found, new = pattern, replacement
        if pattern.startswith("^"):  # one group more, at the front
            found = "(^|is not in the target: )" + pattern.removeprefix("^")
            new = r"\1" + re.sub(r"\\(\d)", lambda group: f"\\{int(group[1]) + 1}", replacement)
        expression = f"regexp_replace({expression}, {literal(found)}, {literal(new)}, 'g')"
    return expression
