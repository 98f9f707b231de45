"""The sample shop: a web front that calls a cart and a catalog."""
