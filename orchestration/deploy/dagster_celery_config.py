"""Settings of the Celery workers; dagster-celery imports this module by name from PYTHONPATH."""

import os

broker_url = result_backend = os.environ["MILLPOND_CELERY_BROKER"]
worker_prefetch_multiplier = 1
worker_disable_prefetch = True  # a waiting step stays in the broker, not in a busy worker that may die
task_default_queue = "dagster"
task_track_started = True  # records which worker started a step; the heartbeat queries that worker
