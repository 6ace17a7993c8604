"""The Dagster webserver behind Millpond's sign-in."""
