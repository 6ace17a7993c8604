"""Those who are told when something is wrong: a webhook, Slack, a mailbox."""
