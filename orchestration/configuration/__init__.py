"""Settings and secrets from the environment and `.env`, checked before anything starts."""
