"""`--json`: what a command found, as one JSON document instead of text.

command with `@with_json`  ->  text, or {"command", "exit_code", "problems", "messages", and what `note()` was given}

The keys are stable: docs/command-line.md lists them, and a test compares the list with this file.
"""

import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import wraps
from typing import Annotated, Any, Final, ParamSpec

import polars as pl
from cyclopts import Parameter

from orchestration.cli.exit_codes import USAGE
from orchestration.cli.output import console, print_problems
from resources.redaction import redact
from resources.visible_text import INVISIBLE

P = ParamSpec("P")
AsJson = Annotated[bool, Parameter(name="--json", help="One JSON document instead of text.")]
ENVELOPE: Final = ("command", "exit_code", "problems", "messages")
# every other key, with its content; rows are objects whose keys are those of the named table or list
KEYS: Final = {
    "alerts": "the open alerts: kind, cause, since, affected, lines",
    "candidates": "records that can be imported, as in the table `candidates_<workflow>`",
    "certificates": "rows of `sync_certificates`, with `evidence` and `exceptions` as objects, confirmed_since,"
    " file_changed",
    "certificate_checks": "`certificate verify`: workflow, verified_through, is_confirmed, counts, examples,"
    " not_derived, problem",
    "changes": "`explain`: rows of the macro `field_changes`, with workflow",
    "checked_at": "`alerts`: the time of the last check",
    "checks": "what `doctor` checked: system, check, passed, found, fix",
    "differences": "`simulate --compare`: target, alike, only_here, only_there, first_only_here, first_only_there,"
    " fields (field, records, examples)",
    "digests": "`digest`: steward, records, causes (workflow, text, task, since, lines)",
    "explanation": "`explain`: record, seen (as read from NetSuite), as_of, histories (one a workflow)",
    "fields": "`fields`: name, type, length, required, sample, mapped_by",
    "forgotten": "`forget`: source, source_id, is_dry_run, forgotten_at, decided_by, reason, searched, erased (table,"
    " rows, columns), files (file, table, column, rows), elsewhere (table, column, records, ids), in_targets (workflow,"
    " target_id, url), left (file, why), bytes_before, bytes_after",
    "held_back": "records held back by root cause: workflow, source, action, root_source, root_action, root_code,"
    " root_reason, reasons (reason, records), records, since, first_ids",
    "ignored": "rows of `sync_ignored` that apply now",
    "ledger": "`ledger verify`: is_whole, count, problems (what, text, number, id), acknowledged (the same, by, at,"
    " reason), entries, rows (by kind), pruned, erased, unsealed, checkpoints, public_keys, notices, days (day,"
    " checkpoints, entries, pruned, digest), last",
    "ledger_acknowledged": "`ledger acknowledge`: what, text, number, id",
    "ledger_export": "`ledger export`: the manifest",
    "ledger_restarted": "`ledger restart`: checkpoint, public_key",
    "links": "rows of the view `target_links`",
    "matches": "possible matches: workflow, action, source, source_id, target_id, matched_by, reason, agree, differ",
    "needs_attention": "workflow, source, source_id, name, action, reason_code, reason, since, is_new",
    "parity": "`shadow report`: workflow, shadow, summary, is_explained, interval, night, nights (rows of"
    " `sync_shadow_nights`), groups (cause, field, kind, evidence, source, records, ids, since, accepted, accepted_by,"
    " examples, text, is_accepted)",
    "plans": "rows of `sync_plans`; `plan`, `undo` and `plans PLAN` add counts, writes_planned and held_back",
    "preview": "`preview`: workflow, source, source_id, before, after (each: action, reason), fields (field, target,"
    " before, after)",
    "records": "records that a text may mean: source, source_id, number, name",
    "runs": "rows of `sync_runs`",
    "simulations": "`simulate`: line, seed, faults, days, nights, violations, records, selected, verdicts (name, text,"
    " checked, broken, examples, evidence), done, held_back, calls, certificates, not_compared, events, names",
    "tables": "tables, views and macros: name, kind, layer, rows, meaning, columns",
    "users": "`user list`: name, role, password (its state)",
    "values": "`explain --as-of`: rows of the macro `record_as_of`, with workflow",
    "workflows": "workflow files: name, target, fields, active",
}
_recorded: dict[str, Any] = {}


def with_json(command: Callable[P, int]) -> Callable[P, int]:
    """Give a command the option `--json`."""
    signature = inspect.signature(command)

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        as_json = bool(kwargs.pop("as_json", False))
        if not as_json:
            return command(*args, **kwargs)
        _forget()
        console.quiet = True
        try:
            code = command(*args, **kwargs)
        finally:
            console.quiet = False
        write_document(_name(command), code)
        return code

    option = inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    return run


def _name(command: Callable[P, int]) -> str:
    """Return the words of a command, such as `plans` or `user list`."""
    name, group = command.__name__.strip("_").replace("_", "-"), getattr(command, "__globals__", {}).get("app")
    above = group.name[0] if group else "millpond"
    return name if above in {name, "millpond"} else f"{above} {name}"


def note(**found: Any) -> None:
    """Note what a command found, for `--json`; lists of the same key are joined."""
    for key, value in found.items():
        if key not in KEYS:
            raise KeyError(f"{key} is not among the documented keys")
        if isinstance(value, list) and key in _recorded:
            _recorded[key] = [*_recorded[key], *value]
        else:
            _recorded[key] = value


def _forget() -> None:
    _recorded.clear()
    console.problems.clear()
    console.messages.clear()


def write_document(command: str, code: int) -> None:
    """Write the document of a command to stdout."""
    known = {"command": command, "exit_code": code, "problems": console.problems, "messages": console.messages}
    document = {**known, **_recorded}
    text = redact(json.dumps(document, default=_as_json, ensure_ascii=False))
    # the same document, which cannot act on a terminal
    sys.stdout.write(INVISIBLE.sub(lambda found: _escaped(found[0]), text) + "\n")
    sys.stdout.flush()


def _escaped(character: str) -> str:
    """Return a character as JSON may write it: one beyond U+FFFF by its two surrogates."""
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def print_failure(tokens: Sequence[str], problems: Sequence[str]) -> None:
    """Print why a command was not started, as JSON if that was asked for."""
    console.quiet = "--json" in tokens
    _forget()
    print_problems(problems)
    if console.quiet:
        write_document(tokens[0], USAGE)


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, pl.DataFrame):
        return value.to_dicts()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)
