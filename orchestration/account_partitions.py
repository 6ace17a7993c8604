"""Several NetSuite accounts in one code location: each is a partition of every asset, with its own home and keys.

MILLPOND_ACCOUNTS  ->  partitions of assets and jobs; a run's partition  ->  its account's resources

Without named accounts there is one unnamed account, and nothing is partitioned.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from orchestration.configuration.settings import MillpondSettings
from orchestration.dagster_internals import PARTITION_TAG


def partitions_of(settings: MillpondSettings) -> dg.PartitionsDefinition[str] | None:
    """Return one partition per account; None without named accounts."""
    return dg.StaticPartitionsDefinition(list(settings.account_names)) if settings.account_names else None


def partitioned(assets: Iterable[dg.AssetsDefinition], settings: MillpondSettings) -> list[dg.AssetsDefinition]:
    """Return the assets, partitioned by account."""
    partitions = partitions_of(settings)
    if partitions is None:
        return list(assets)

    def add_partitions(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(partitions_def=partitions)

    return [each.map_asset_specs(add_partitions) for each in assets]


def run_tags(account: str) -> dict[str, str]:
    """Return the tags that an account's runs are found by."""
    return {PARTITION_TAG: account} if account else {}


def run_requests(settings: MillpondSettings) -> list[dg.RunRequest]:
    """Return a run request per account."""
    if not settings.account_names:
        return [dg.RunRequest()]
    return [dg.RunRequest(run_key=name, partition_key=name) for name in settings.account_names]


def account_of(run: dg.DagsterRun | None, settings: MillpondSettings) -> MillpondSettings:
    """Return the settings of a run's account.

    Raises:
        Failure: There are several accounts and the run's partition is none of them.
    """
    name = run.tags.get(PARTITION_TAG, "") if run else ""
    if settings.account_names and name not in settings.account_names:
        text = f"the run has no account: choose a partition, one of {', '.join(settings.account_names)}"
        raise dg.Failure(text, allow_retries=False)
    return settings.for_account(name)


def account_scoped(name: str, account: str) -> str:
    """Return the name of an account's own sensor or resource."""
    return f"{name}__{account}" if account else name


def resources_per_run(by_account: Mapping[str, Mapping[str, Any]], settings: MillpondSettings) -> dict[str, Any]:
    """Return resources that resolve to those of a run's account, and each account's own ones for its sensors."""
    if not settings.account_names:
        return dict(by_account[""])
    first = by_account[settings.account_names[0]]
    chosen = {name: _of_run(name, by_account, settings) for name in first}
    own = {account_scoped(name, account): made for account, named in by_account.items() for name, made in named.items()}
    return chosen | own


def _of_run(
    name: str, by_account: Mapping[str, Mapping[str, Any]], settings: MillpondSettings
) -> dg.ResourceDefinition:
    @dg.resource(description=f"{name} of the run's account")
    def resource(context: dg.InitResourceContext) -> Iterator[Any]:
        made = by_account[account_of(context.run, settings).account][name]
        if not isinstance(made, dg.ConfigurableResource):
            yield made
            return
        with made.process_config_and_initialize_cm() as opened:
            yield opened

    return resource
