"""The console: pages for the people who run the sync, and the actions that they decide on."""
