"""From tables to dlt: how rows land, the ledger of the walks, repair of what was cut off."""
