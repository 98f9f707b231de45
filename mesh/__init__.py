"""Floor 3: the routing table and the data plane.  Knows nothing of where endpoints come from."""
