"""Manual selection: import candidates and manual links."""
