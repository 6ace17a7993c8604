"""Change notifications from NetSuite: webhook, queue, sensor and job."""
