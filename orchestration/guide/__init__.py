"""The guide: its generated pages, and its site."""
