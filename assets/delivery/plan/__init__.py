"""Plans: decisions narrowed by mode, scope and guards."""
