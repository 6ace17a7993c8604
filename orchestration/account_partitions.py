"""Several NetSuite accounts in one place: each is a partition of every asset, with a home and keys of its own.

MILLPOND_ACCOUNTS  ->  partitions of assets and jobs; a run's partition  ->  the resources of its account

While no accounts are named there is one without a name, and nothing is partitioned.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from orchestration.settings import MillpondSettings

PARTITION = "dagster/partition"  # Dagster's tag of a run


def partitions_of(settings: MillpondSettings) -> dg.PartitionsDefinition[str] | None:
    """One partition for each account; None when there is but one."""
    return dg.StaticPartitionsDefinition(list(settings.names)) if settings.names else None


def partitioned(assets: Iterable[dg.AssetsDefinition], settings: MillpondSettings) -> list[dg.AssetsDefinition]:
    """Assets with a partition for each account."""
    partitions = partitions_of(settings)
    if partitions is None:
        return list(assets)

    def cut(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(partitions_def=partitions)

    return [each.map_asset_specs(cut) for each in assets]


def tags_of(account: str) -> dict[str, str]:
    """What the runs of an account are found by."""
    return {PARTITION: account} if account else {}


def requests_of(settings: MillpondSettings) -> list[dg.RunRequest]:
    """A run for each account."""
    if not settings.names:
        return [dg.RunRequest()]
    return [dg.RunRequest(run_key=name, partition_key=name) for name in settings.names]


def account_of(run: dg.DagsterRun | None, settings: MillpondSettings) -> MillpondSettings:
    """The settings of the account that a run is of.

    Raises:
        Failure: There are several and the run names none of them.
    """
    name = run.tags.get(PARTITION, "") if run else ""
    if settings.names and name not in settings.names:
        text = f"this run is of no account: choose a partition, one of {', '.join(settings.names)}"
        raise dg.Failure(text, allow_retries=False)
    return settings.of(name)


def own(name: str, account: str) -> str:
    """The name of what each account has for itself: a sensor, a resource that is not chosen by a run."""
    return f"{name}__{account}" if account else name


def for_runs(each: Mapping[str, Mapping[str, Any]], settings: MillpondSettings) -> dict[str, Any]:
    """Resources by name: under their own names those of a run's account, and each account's for its sensors.

    Args:
        each: Account to its resources by name.
        settings: With the accounts' names.
    """
    if not settings.names:
        return dict(each[""])
    chosen = {name: _chosen(name, each, settings) for name in each[settings.names[0]]}
    return chosen | {own(name, account): made for account, all_of in each.items() for name, made in all_of.items()}


def _chosen(name: str, each: Mapping[str, Mapping[str, Any]], settings: MillpondSettings) -> dg.ResourceDefinition:
    @dg.resource(description=f"{name} of the account that the run is of")
    def chosen(context: dg.InitResourceContext) -> Iterator[Any]:
        made = each[account_of(context.run, settings).account][name]
        if not isinstance(made, dg.ConfigurableResource):
            yield made
            return
        with made.process_config_and_initialize_cm() as it:
            yield it

    return chosen
