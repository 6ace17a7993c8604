"""Manual choices: the import selection, its candidates, and manual links."""
