"""Verify the chain: signatures, links, and each covered row against its entry.

sync_checkpoints  ->  check_checkpoints()  ┐
sync_chain        ->  check_links()        ┼>  Findings
covered rows      ->  check_rows()         ┘      with mirrors of decisions, and a checkpoint that was kept elsewhere

Written for reading: an auditor's own program needs the statement's signature, `link_of`, and the leaf of `covered`.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date

import duckdb

from assets.delivery.chain.acknowledge import acknowledgements
from assets.delivery.chain.checkpoints import SHOWN, Checkpoint, read_checkpoints
from assets.delivery.chain.covered import CHAIN, COLLAPSED, MARK_LEAF, MARKS, PRUNED
from assets.delivery.chain.entries import BATCH, link_of
from assets.delivery.chain.findings import CHANGED, INSERTED, MOVED, REMOVED, Day, Findings
from assets.delivery.chain.kept import check_beside, check_kept
from assets.delivery.chain.mirrors import differences
from assets.delivery.chain.restart import is_restart
from assets.delivery.chain.row_check import check_rows
from assets.delivery.spec.switches import Override
from resources.signing import is_signed
from resources.warehouse.tables import has_table

NOT_BEGUN = "no checkpoint yet: the chain begins when the next run ends"


def verify(
    con: duckdb.DuckDBPyConnection,
    public_keys: Collection[str],
    *,
    switches: Mapping[str, Override] | None = None,
    beside: Checkpoint | None = None,
    kept: Sequence[Checkpoint] = (),
) -> Findings:
    """Verify the ledger of a warehouse.

    Args:
        con: An open section; temporary tables are created.
        public_keys: The keys that are trusted; without any, only that the signatures belong to the keys they name.
        switches: The overrides of workflows, to compare with the recorded decisions.
        beside: The checkpoint that is kept beside the warehouse's file.
        kept: Checkpoints that were kept elsewhere.
    """
    found = Findings(known=acknowledgements(con))
    checkpoints = read_checkpoints(con)
    if not checkpoints:
        if has_table(con, CHAIN) and con.execute(f"select 1 from {CHAIN} limit 1").fetchall():
            found.add("checkpoint", "the chain has entries, and its checkpoints are gone")
        found.notices.append(NOT_BEGUN)
    else:
        _check_chain(con, found, checkpoints, public_keys, switches)
    if beside:
        check_beside(found, checkpoints, beside)
    for checkpoint in kept:
        check_kept(con, found, checkpoints, checkpoint)
    return found


def _check_chain(
    con: duckdb.DuckDBPyConnection,
    found: Findings,
    checkpoints: Sequence[Checkpoint],
    public_keys: Collection[str],
    switches: Mapping[str, Override] | None,
) -> None:
    check_checkpoints(found, checkpoints, public_keys)
    check_links(con, found, checkpoints)
    check_rows(con, found, checkpoints[-1])
    for each in differences(con, switches):
        if each.is_pending:
            found.notices.append(f"{each.text}; the decision was recorded and not carried out: repeat it")
        else:
            found.add("decision", each.text, state=each.state)


def check_checkpoints(
    found: Findings, checkpoints: Sequence[Checkpoint], public_keys: Collection[str], start: int = 1
) -> None:
    """Check numbers, signatures and keys of the checkpoints, from `start`, and that each names the one before."""
    found.checkpoints, found.last = len(checkpoints), checkpoints[-1].document
    found.public_keys = list(dict.fromkeys(each.public_key for each in checkpoints))
    before: Checkpoint | None = None
    for place, each in enumerate(checkpoints):
        if problem := _problem(each, before, place + start):
            text = f"checkpoint {each.number}{_when(each)} {problem}"
            found.add("checkpoint", text, int(each.facts.get("first", 0)), state=each.digest)
        elif before and is_restart(each, before):
            found.notices.append(_restarted(each, before))
        before = each
    last = checkpoints[-1]
    if public_keys and last.public_key not in public_keys:
        key = f"the key {last.public_key[:SHOWN]}…" if last.public_key else "no key"
        found.add(
            "checkpoint", f"checkpoint {last.number}{_when(last)} is signed with {key}, which is not one of yours"
        )
        found.notices.append(
            "if that key is yours, set MILLPOND_LEDGER_KEY to it, or to `new,old`, or name its public key with"
            " --public-key; if it was lost, `millpond ledger restart`"
        )
    if not last.public_key:
        found.notices.append(
            "the checkpoints are not signed: whoever can write the warehouse can make others; set MILLPOND_LEDGER_KEY"
        )
    elif not public_keys:
        found.notices.append("no key is known here, so a chain that was signed again with another key looks whole")


def _problem(each: Checkpoint, before: Checkpoint | None, number: int) -> str:
    facts = each.facts
    if each.number != number:
        return f"is out of order: {number} is missing, or there are two of one number"
    if (facts.get("number"), facts.get("day")) != (each.number, each.day.isoformat()):
        return "was changed: number or day are not those of its statement"
    if not each.is_signature_valid:
        return "was changed: its signature does not match"
    if before is None:
        is_first = (facts.get("first"), facts.get("previous")) == (1, "")
        return "" if each.number > 1 or is_first else "is not the first one"
    return _succession_problem(each, before)


def _succession_problem(each: Checkpoint, before: Checkpoint) -> str:
    facts = each.facts
    if facts.get("previous") != before.digest:
        return f"does not follow checkpoint {before.number}: that one was changed or signed again"
    if facts.get("first") != before.facts.get("last", -1) + 1:
        return f"does not continue where checkpoint {before.number} ended"
    changes = before.public_key and each.public_key != before.public_key
    if changes and not (is_signed(each.statement, each.handover, before.public_key) or is_restart(each, before)):
        return f"is signed with another key, which the key of checkpoint {before.number} did not hand over to"
    return ""


def _restarted(each: Checkpoint, before: Checkpoint) -> str:
    facts, lost, new = each.facts, before.public_key[:SHOWN], each.public_key[:SHOWN]
    person = facts.get("restarted_by") or "no person"
    return (
        f"checkpoint {each.number}{_when(each)} begins anew with the key {new}…, because the key {lost}… was lost, as"
        f" {person} recorded. The new key vouches for nothing before entry {facts.get('first')}: whoever had the"
        f" lost key, or makes one, could have written entries 1 to {facts.get('first', 1) - 1}. Compare them with an"
        f" export or a checkpoint that was kept before, and the public key {lost}… with the one that was handed over"
    )


def _when(each: Checkpoint) -> str:
    sealed = each.facts.get("sealed_at")
    return f" of {sealed} UTC" if sealed else ""


def check_links(
    con: duckdb.DuckDBPyConnection, found: Findings, checkpoints: Sequence[Checkpoint], head: str = ""
) -> None:
    """Check that the entries are those that were signed, in their order, after the link `head`."""
    collapsed = {
        int(row[0])
        for row in con.execute(f"select record from {CHAIN} where kind = '{COLLAPSED}'").fetchall()
        if str(row[0]).isdigit()
    }
    entries = _entries(con)
    pending = next(entries, None)
    days: dict[date, list[Checkpoint]] = {}
    pruned = Counter[date]()
    for each in checkpoints:
        facts = each.facts
        first, last = int(facts.get("first", 0)), int(facts.get("last", 0))
        number, reported = first - 1, found.count
        while pending and pending[0] <= last:
            now, kind, record, leaf, link, own_leaf, is_pruned = pending
            pending = next(entries, None)
            head = link_of(head, now, kind, leaf)
            problem = _entry_problem(number, now, link == head, own_leaf == leaf)
            if problem and found.count == reported:  # the first one of each checkpoint
                found.add(problem[0], f"entry {now} ({kind} {record}) {problem[1]}", now, state=f"{link} {leaf}")
            number, head = now, link
            pruned[each.day] += is_pruned
        if number < first and each.number in collapsed:
            pruned[each.day] += last - first + 1
        elif number != last and found.count == reported:
            found.add(REMOVED, f"entry {number + 1} is missing, up to {last} of checkpoint {each.number}", number + 1)
        elif head != facts.get("head") and found.count == reported:
            text = f"entries {first} to {last} are not those that checkpoint {each.number}{_when(each)} signed"
            found.add(CHANGED, text, first)
        head = str(facts.get("head", ""))
        days.setdefault(each.day, []).append(each)
        found.entries += max(last - first + 1, 0)
    if pending:
        found.add(
            INSERTED, f"entry {pending[0]} ({pending[1]} {pending[2]}) was added after the last checkpoint", pending[0]
        )
    found.days = [_day(day, of, pruned[day]) for day, of in days.items()]


def _day(day: date, checkpoints: Sequence[Checkpoint], pruned: int) -> Day:
    entries = sum(int(each.facts.get("last", 0)) - int(each.facts.get("first", 0)) + 1 for each in checkpoints)
    return Day(day, len(checkpoints), entries, pruned, str(checkpoints[-1].facts.get("head", "")))


def _entries(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[int, str, str, str, str, str, bool]]:
    marks = ", ".join(f"'{each}'" for each in MARKS)
    pruned = f"select try_cast(record as bigint) from {CHAIN} where kind = '{PRUNED}'"
    cursor = con.execute(
        f"select coalesce(number, 0), coalesce(kind, ''), record, coalesce(leaf, ''), coalesce(link, ''),"
        f" case when kind in ({marks}) then {MARK_LEAF} else coalesce(leaf, '') end, number in ({pruned})"
        f" from {CHAIN} order by number nulls first, link"
    )
    while rows := cursor.fetchmany(BATCH):
        yield from rows


def _entry_problem(before: int, number: int, is_linked: bool, is_own: bool) -> tuple[str, str] | None:  # noqa: FBT001
    if number == before:
        return INSERTED, "is there twice"
    if number != before + 1:
        return REMOVED, f"follows entry {before}: those between are missing"
    if not is_own:
        return CHANGED, "is a mark that was changed"
    if not is_linked:
        return MOVED, "was changed, or stands in another place than when it was signed"
    return None
