"""The Dagster assets and checks of a workflow."""
