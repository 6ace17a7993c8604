"""The ledger: runs, decisions, attempts, links and plans."""
