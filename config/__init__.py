"""Floor 1: manifests in, typed and validated objects out.  Knows nothing of anything that runs."""
