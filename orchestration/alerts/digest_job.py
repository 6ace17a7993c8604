"""The job `digest`: send every steward what cannot be sent to a target.

settings, workflow files  ->  found_digests()  ->  send()
"""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from assets.delivery.audit.record_links import RecordLinks
from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from orchestration.account_partitions import account_of, partitions_of
from orchestration.alerts.digest import Digest, digests, send
from orchestration.alerts.sensor import receivers_of
from orchestration.automation.groups import DIGEST
from orchestration.configuration.settings import AlertSettings, MillpondSettings, netsuite_settings
from orchestration.opened_warehouse import warehouse_clock
from resources.clock import utc_now
from resources.warehouse.warehouse import Warehouse


def found_digests(warehouse: Warehouse, workflows: Sequence[Workflow], settings: MillpondSettings) -> list[Digest]:
    """Return the digests of one account, as of its last runs."""
    switches = Switches(warehouse.folder)
    active = [each.name for each in workflows if switches.state(each).active]
    links = RecordLinks("" if settings.sandbox else netsuite_settings(settings.account).account)
    return digests(warehouse, {each.name: each for each in workflows}, active, links, ledger_time(settings))


def ledger_time(settings: MillpondSettings) -> datetime:
    """Return the time of the ledger, UTC."""
    return utc_now(warehouse_clock(settings))


def send_digests(found: Sequence[Digest], settings: MillpondSettings) -> list[str]:
    """Send digests by the receivers of alerts; return what could not be sent.

    Raises:
        ValueError: A setting of the receivers is not valid; the text names it.
    """
    alert_settings = AlertSettings()
    return send(
        found, receivers_of(alert_settings), ledger_time(settings), link=alert_settings.ui_url, account=settings.account
    )


def digest_job(workflows: Sequence[Workflow], settings: MillpondSettings) -> dg.JobDefinition:
    """Return the job; groups.yaml has its schedule."""

    @dg.op(description="Send each steward the records that need a correction.", out=dg.Out(dg.Nothing), pool="duckdb")
    def send_digest(context: dg.OpExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> None:
        of = account_of(context.run, settings)
        found = found_digests(warehouse, workflows, of) if warehouse.exists() else []
        try:
            problems = send_digests(found, of)
        except ValueError as error:
            problems = [str(error)]
        sent = len(found) - len(problems)
        context.add_output_metadata({"stewards": len(found), "records": sum(each.records for each in found)})
        context.log.info("%d digests sent", max(0, sent))
        if problems:
            raise dg.Failure("; ".join(problems), allow_retries=False)

    @dg.job(
        name=DIGEST,
        description="Send the stewards of each workflow file what cannot be sent, by cause; none if there is nothing.",
        partitions_def=partitions_of(settings),
    )
    def job() -> None:
        send_digest()

    return job
