"""What it takes to run on several machines: settings of Dagster, Celery, Compose and Helm."""
