"""The sensor that looks, and how receivers are set up.

settings  ->  receivers;  every half a minute: Dagster's runs and the warehouse  ->  what changed  ->  receivers
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from assets.delivery.plan.planner import Workflow
from assets.delivery.spec.switches import Switches
from orchestration.account_partitions import own
from orchestration.alerts.conditions import OF_WAREHOUSE, Kind, Limits, Problem, warehouse_problems
from orchestration.alerts.notify import Look, Scrub, compare, deliver
from orchestration.alerts.run_failures import check_problems, follow_runs, run_problems
from orchestration.alerts.store import Memory
from orchestration.operator_jobs.reconcile import check_key
from orchestration.settings import AlertSettings, MillpondSettings, secret_variables, warehouse_clock
from resources.notifiers.mail import Mail
from resources.notifiers.notice import Receiver
from resources.notifiers.web import Slack, Webhook
from resources.warehouse.warehouse import Warehouse, WarehouseError

EVERY_S = 30
NAME = "alerts"


def receivers_of(settings: AlertSettings) -> dict[str, Receiver]:
    """Those that are set up, by name.

    Raises:
        ValueError: A setting cannot be used; the text names it.
    """
    found: list[Receiver] = []
    if url := os.environ.get("MILLPOND_ALERT_WEBHOOK_URL", ""):
        found.append(Webhook(url, os.environ.get("MILLPOND_ALERT_WEBHOOK_KEY", "")))
    if url := os.environ.get("MILLPOND_ALERT_SLACK_URL", ""):
        found.append(Slack(url, settings.slack_host))
    if settings.mail_host:
        to = tuple(each.strip() for each in settings.mail_to.split(",") if each.strip())
        found.append(
            Mail(
                settings.mail_host, settings.mail_from, to, settings.mail_port, settings.mail_tls, settings.mail_user,
                os.environ.get("MILLPOND_ALERT_MAIL_PASSWORD", ""), settings.mail_ca_file,
            )
        )  # fmt: skip
    return {each.name: each for each in found}


def scrub_of_environment() -> Scrub:
    """Blots out every secret that is set."""
    return Scrub([os.environ[name] for name in secret_variables()])


def look(
    instance: dg.DagsterInstance,
    warehouse: Warehouse,
    path: Path,
    receivers: Mapping[str, Receiver],
    workflows: Sequence[Workflow],
    limits: Limits,
    *,
    warehouse_time: datetime,
    link: str = "",
    account: str = "",
) -> Look:
    """Look once, note what changed, and tell it.

    Args:
        instance: Dagster's records.
        warehouse: The warehouse.
        path: Alerting's own file.
        receivers: Who is told.
        workflows: Those that are switched on.
        limits: When something counts.
        warehouse_time: Now by the warehouse's clock, aware.
        link: Where to look.
        account: Whose runs are looked at; blank: there is but one.
    """
    seconds, found = datetime.now(UTC).timestamp(), Look()
    with closing(Memory(path)) as memory:
        with memory.look():
            follow_runs(instance, memory, seconds, account)
            now, unseen = run_problems(memory), set[Kind]()
            now += check_problems(instance, [check_key(each) for each in workflows], account)
            try:
                names, moment = [each.name for each in workflows], warehouse_time.replace(tzinfo=None)
                now += warehouse_problems(warehouse, names, limits, moment, set(memory.open_problems()))
            except (WarehouseError, TimeoutError) as error:
                unseen |= OF_WAREHOUSE
                now.append(
                    Problem(Kind.FAILED, "the warehouse", f"the warehouse cannot be read: {type(error).__name__}")
                )
            found.told = compare(
                memory, now, warehouse_time, scrub_of_environment(), unseen=unseen, link=link, account=account
            )
            found.open = len(memory.open_problems())
            for name in receivers:
                if found.told:
                    memory.post(name, found.told, seconds)
        deliver(memory, receivers, found, seconds)
    return found


def alert_sensor(
    settings: MillpondSettings, workflows: Sequence[Workflow], fresh_h: Mapping[str, float]
) -> dg.SensorDefinition:
    """Looks every half a minute; without a receiver what is wrong is told by the tick alone."""
    how, warehouse_key = AlertSettings(), own("warehouse", settings.account)

    @dg.sensor(
        name=own(NAME, settings.account),
        required_resource_keys={warehouse_key},
        minimum_interval_seconds=EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells what fails, waits or grows old, once for each root cause, and when it is over.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        warehouse: Warehouse = getattr(context.resources, warehouse_key)
        trouble, receivers = "", dict[str, Receiver]()
        try:
            receivers = receivers_of(how)
        except ValueError as error:
            trouble = f"; nobody is told: {error}"
        limits = Limits(how.held, fresh_h)
        switches = Switches(warehouse.folder)
        active = [each for each in workflows if switches.state(each).active]
        found = look(
            context.instance, warehouse, settings.alerts, receivers, active, limits,
            warehouse_time=warehouse_clock(settings).now(), link=how.link, account=settings.account,
        )  # fmt: skip
        return dg.SkipReason(found.text + trouble)

    return alerts
