"""How the pieces are joined, scheduled, watched and driven by hand."""
