"""The Dagster components that a YAML file names in `type:`; `dg list components` shows them."""

from assets.delivery.component.component import SyncWorkflow

__all__ = ["SyncWorkflow"]
