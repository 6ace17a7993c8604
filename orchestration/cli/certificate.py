"""`millpond certificate`: the time through which every change in NetSuite is proven to be in the targets.

sync_certificates  ->  certificate [WORKFLOW]          two read-outs  ->  certificate verify [WORKFLOW]
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cyclopts import App

from assets.delivery.errors import SyncError
from assets.delivery.ledger.certificates import (
    Certificate,
    confirmed_since,
    confirmed_text,
    file_text,
    newest_certificates,
)
from assets.result_texts import counted, did_you_mean
from orchestration.cli.exit_codes import CLEAN, FAILED, USAGE
from orchestration.cli.facts import note, with_json
from orchestration.cli.html_page import write_page
from orchestration.cli.output import print_line, print_problems, print_wrapped
from orchestration.configuration.settings import MillpondSettings
from orchestration.opened_warehouse import warehouse_of
from orchestration.workflow_files import load_workflows
from resources.errors import IntegrationError
from resources.scratch import scratch
from resources.warehouse.warehouse import WarehouseError

app = App(
    name="certificate",
    help="Print the certificates: what is proven to be in the targets, and through when.",
    suppress_keyboard_interrupt=False,
)


@app.default
@with_json
def certificate(workflow: str = "", *, html: Path | None = None) -> int:
    """Print the certificates: what is proven to be in the targets, and through when.

    Args:
        workflow: One workflow; all when omitted.
        html: Also write it as a page to this file.
    """
    settings = MillpondSettings()
    try:
        with warehouse_of(settings).writer(transaction=False) as con:
            found = newest_certificates(con)
            since = confirmed_since(con, found.values())
    except WarehouseError as error:
        print_problems([str(error)])
        return FAILED
    if workflow and workflow not in found:
        meant = did_you_mean(workflow, found)
        print_problems([f"{workflow} has no certificate yet; {meant}each run of a workflow computes one"])
        return USAGE
    shown = [each for each in found.values() if workflow in {"", each.workflow}]
    if not shown:
        print_line("there are no certificates yet; each run of a workflow computes one")
        return FAILED
    versions = {each.name: each.spec.version for each in load_workflows(settings.workflows)[0]}
    documents = [document(each, since.get(each.workflow, 0), versions.get(each.workflow)) for each in shown]
    note(certificates=documents)
    if html:
        write_page(
            "certificate", html, certificates=documents, text=exception_text, since=confirmed_text, counted=counted
        )
    for each in documents:
        _print(each)
    return CLEAN if all(_is_good(each) for each in documents) else FAILED


@app.command
@with_json
def verify(workflow: str = "", *, read_outs: Path | None = None, keep: Path | None = None) -> int:
    """Check certificates against NetSuite and the target, in code that shares nothing with the engine.

    Args:
        workflow: One workflow; all with a certificate when omitted.
        read_outs: Folder with a folder per workflow: stg_netsuite__<records> and target, as .parquet or .csv. When
            omitted, both sides are read now.
        keep: Keep what is read now in this folder.
    """
    from orchestration.certificate_read_outs import check_workflows  # late: it opens clients

    try:
        with scratch(MillpondSettings().warehouse, "certificate") as folder:
            found = check_workflows(workflow, read_outs, keep or folder)
    except (SyncError, IntegrationError, WarehouseError, ValueError) as error:
        print_problems([str(error)])
        return USAGE if isinstance(error, SyncError) else FAILED
    for each in found:
        note(certificate_checks=[{**asdict(each), "is_confirmed": each.is_confirmed}])
        _print_findings(each)
    return CLEAN if found and all(each.is_confirmed for each in found) else FAILED


def document(certificate: Certificate, confirmed: int, version: str | None) -> dict[str, Any]:
    """Return a certificate with evidence and exceptions as objects, and what was confirmed and changed since."""
    objects = {name: json.loads(getattr(certificate, name)) for name in ("evidence", "exceptions")}
    changed = file_text(certificate, version)
    return {**asdict(certificate), **objects, "confirmed_since": confirmed, "file_changed": changed}


def _is_good(each: dict[str, Any]) -> bool:
    return bool(each["verified_through"] and not each["wrong"] and not each["file_changed"])


def _print(each: dict[str, Any]) -> None:
    through = each["verified_through"]
    text = f"verified through {through:%Y-%m-%d %H:%M:%S} UTC" if through else "nothing is proven"
    is_good = _is_good(each)
    print_wrapped(f"{'✓' if is_good else '✗'} {each['workflow']}: {text}", "green" if is_good else "red")
    limit = "limited by" if through else "because"
    print_wrapped(f"{limit}: {each['reason']}", indent=4)
    if not through and each["verified_before"]:
        print_wrapped(f"an earlier certificate reached {each['verified_before']:%Y-%m-%d %H:%M:%S} UTC", indent=4)
    names = ("verified", "held", "pending", "wrong")
    counts = ", ".join(f"{each[name]:,} {'held back' if name == 'held' else name}" for name in names)
    by = f"computed {each['certified_at']:%Y-%m-%d %H:%M} UTC by run {each['run_id'][:8]}" if each["run_id"] else ""
    print_wrapped("; ".join(filter(None, (f"{counted(each['records'], 'records')}: {counts}", by))), indent=4)
    if each["file_changed"]:
        print_wrapped(each["file_changed"], indent=4)
    if since := confirmed_text(each["confirmed_since"]):
        print_wrapped(since, indent=4)
    for row in each["exceptions"]:
        print_wrapped(exception_text(row), indent=4)


def exception_text(row: dict[str, Any]) -> str:
    """Return one exception as a line."""
    if "records" not in row:
        return f"not compared: {row['what']} {row['source']} ({row['why']})".replace("  ", " ")
    more = ", …" if row["records"] > len(row["examples"]) else ""
    return f"{row['what']}: {counted(row['records'], row['source'])}, {row['why']}: {', '.join(row['examples'])}{more}"


def _print_findings(each: Any) -> None:
    from orchestration.certificate_check.check import MEANINGS

    if each.problem:
        print_wrapped(f"✗ {each.workflow}: {each.problem}", "red")
        return
    through = f"verified through {each.verified_through:%Y-%m-%d %H:%M:%S} UTC"
    verdict = f"✓ {each.workflow}: {through} is confirmed" if each.is_confirmed else f"✗ {each.workflow}: not {through}"
    print_wrapped(verdict, "green" if each.is_confirmed else "red")
    for name, meaning in MEANINGS.items():
        if each.counts.get(name):
            ids = "" if name == "confirmed" else f": {', '.join(each.examples[name])}"
            print_wrapped(f"{each.counts[name]:,} {name}, {meaning}{ids}", indent=4)
    for name, reason in sorted(each.not_derived.items()):
        print_wrapped(f"{name} was compared with the warehouse's mart: {reason}", indent=4)
