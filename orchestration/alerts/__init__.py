"""What is wrong, told once: to a webhook, to Slack, by mail."""
