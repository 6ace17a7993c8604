"""Jobs that an operator starts: plan actions, activation, reconciliation."""
