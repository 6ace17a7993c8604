"""Settings of the Celery workers; dagster-celery imports this module by its name when it is on PYTHONPATH."""

import os

broker_url = result_backend = os.environ["MILLPOND_CELERY_BROKER"]
worker_prefetch_multiplier = 1  # a worker that is at work keeps no steps from others
task_default_queue = "dagster"
task_track_started = True
