"""The DNS registry: the cluster's names, and the server that answers for them."""
