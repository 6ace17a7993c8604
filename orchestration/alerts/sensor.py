"""The alert sensor, and the receivers of alerts.

settings  ->  receivers;  every 30 seconds: Dagster's runs and the warehouse  ->  changes  ->  receivers
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from assets.delivery.spec.switches import Switches
from assets.delivery.spec.workflow import Workflow
from orchestration.account_partitions import account_scoped
from orchestration.alerts.conditions import OF_WAREHOUSE, Alert, Kind, Limits, warehouse_alerts
from orchestration.alerts.notify import CheckResult, deliver, update_alerts
from orchestration.alerts.run_failures import check_alerts, record_runs, run_alerts
from orchestration.alerts.store import AlertStore
from orchestration.configuration.secret_settings import secret_value
from orchestration.configuration.settings import AlertSettings, MillpondSettings, split_list
from orchestration.opened_warehouse import warehouse_clock
from orchestration.operator_jobs.reconcile import check_key
from resources.clock import Clock
from resources.notifiers.mail import Mail
from resources.notifiers.notice import Receiver
from resources.notifiers.web import Slack, Webhook
from resources.warehouse.warehouse import Warehouse, WarehouseError

logger = logging.getLogger(__name__)

EVERY_S = 30
NAME = "alerts"


def receivers_of(settings: AlertSettings) -> dict[str, Receiver]:
    """Return the configured receivers by name; ValueError names a setting that is not valid."""
    found: list[Receiver] = []
    if url := secret_value("MILLPOND_ALERT_WEBHOOK_URL"):
        found.append(Webhook(url, secret_value("MILLPOND_ALERT_WEBHOOK_KEY")))
    if url := secret_value("MILLPOND_ALERT_SLACK_URL"):
        found.append(Slack(url, settings.slack_host))
    if settings.mail_host:
        found.append(
            Mail(
                settings.mail_host, settings.mail_from, split_list(settings.mail_to), settings.mail_port,
                settings.mail_tls, settings.mail_user, secret_value("MILLPOND_ALERT_MAIL_PASSWORD"),
                settings.mail_ca_file,
            )
        )  # fmt: skip
    return {each.name: each for each in found}


def check(
    instance: dg.DagsterInstance,
    warehouse: Warehouse,
    path: Path,
    receivers: Mapping[str, Receiver],
    workflows: Sequence[Workflow],
    limits: Limits,
    *,
    clock: Clock,
    link: str = "",
    account: str = "",
    keep: bool = True,
) -> CheckResult:
    """Check once, store what changed in the file `path`, and notify the receivers; `link` is the address of the UI.

    With `keep=False` nothing is stored or sent: what one process calls open, no other one would send to anyone.
    """
    now, result = datetime.now(UTC).timestamp(), CheckResult()
    with closing(AlertStore(path)) as store:
        with store.transaction() if keep else store.trial():
            record_runs(instance, store, now, account)
            names = [each.name for each in workflows]
            current, unchecked = run_alerts(store, names), set[Kind]()
            current += check_alerts(instance, [check_key(each) for each in workflows], account)
            try:
                current += warehouse_alerts(warehouse, names, limits, clock, set(store.open_alerts()))
            except (WarehouseError, TimeoutError) as error:
                unchecked |= OF_WAREHOUSE
                text = f"the warehouse cannot be read: {type(error).__name__}"
                current.append(Alert(Kind.FAILED, "the warehouse", text))
            except Exception as error:  # whatever it is: a check that fails would look like one without a finding
                logger.exception("the warehouse could not be checked for alerts")
                unchecked |= OF_WAREHOUSE
                text = f"the warehouse cannot be checked for alerts: {type(error).__name__}"
                current.append(Alert(Kind.FAILED, "the warehouse", text))
            store.set_checked(now)
            result.notice = update_alerts(store, current, clock.now(), unchecked=unchecked, link=link, account=account)
            result.alerts = store.open_alerts()
            if result.notice:
                for name in receivers:
                    store.add_notice(name, result.notice, now)
        if keep:
            deliver(store, receivers, result, now)
    return result


def check_account(
    instance: dg.DagsterInstance,
    warehouse: Warehouse,
    settings: MillpondSettings,
    workflows: Sequence[Workflow],
    freshness_hours: Mapping[str, float],
    *,
    keep_without_receiver: bool = True,
) -> CheckResult:
    """Check the active workflows of an account, and notify the configured receivers.

    Args:
        instance: Dagster's runs.
        warehouse: The account's warehouse.
        settings: Its settings.
        workflows: The workflows.
        freshness_hours: Hours without a run after which a workflow is out of date, by name.
        keep_without_receiver: False leaves it to a process that has receivers to store what changed.
    """
    alert_settings, problems, receivers = AlertSettings(), [], dict[str, Receiver]()
    try:
        receivers = receivers_of(alert_settings)
    except ValueError as error:
        problems = [str(error)]
    switches = Switches(warehouse.folder)
    active = [each for each in workflows if switches.state(each).active]
    result = check(
        instance, warehouse, settings.alerts, receivers, active, Limits(alert_settings.record_limit, freshness_hours),
        clock=warehouse_clock(settings), link=alert_settings.ui_url, account=settings.account,
        keep=bool(receivers) or keep_without_receiver,
    )  # fmt: skip
    result.undelivered += problems
    return result


def alert_sensor(
    settings: MillpondSettings, workflows: Sequence[Workflow], freshness_hours: Mapping[str, float]
) -> dg.SensorDefinition:
    """Return one account's alert sensor; without a receiver, only its ticks show the result."""
    warehouse_key = account_scoped("warehouse", settings.account)

    @dg.sensor(
        name=account_scoped(NAME, settings.account),
        required_resource_keys={warehouse_key},
        minimum_interval_seconds=EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports failures, pending approvals and stale workflows, once per root cause, and their recovery.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        warehouse: Warehouse = getattr(context.resources, warehouse_key)
        return dg.SkipReason(check_account(context.instance, warehouse, settings, workflows, freshness_hours).text)

    return alerts
