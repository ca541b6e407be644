"""From sources to index versions: loading, splitting, the ledger, syncs."""
