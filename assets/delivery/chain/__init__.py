"""The hash chain over the ledger: seal, rewrite, verify, export."""
