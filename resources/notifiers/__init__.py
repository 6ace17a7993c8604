"""Alert receivers: webhook, Slack and SMTP."""
