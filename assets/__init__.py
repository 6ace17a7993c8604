"""What exists: the tables of the pond and what is sent from them."""
