"""Settings of the Celery workers; dagster-celery imports this module by its name when it is on PYTHONPATH."""

import os

broker_url = result_backend = os.environ["MILLPOND_CELERY_BROKER"]
worker_prefetch_multiplier = 1
worker_disable_prefetch = True  # a step waits with the broker, not with a worker that is at work and may die
task_default_queue = "dagster"
task_track_started = True  # by whom a step was begun: that worker is asked whether it still is at it
