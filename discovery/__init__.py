"""Floor 2: what exists and what is healthy.  Knows nothing of what a request is."""
