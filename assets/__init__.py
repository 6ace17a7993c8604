"""The assets: tables of the warehouse, and the deliveries made from them."""
