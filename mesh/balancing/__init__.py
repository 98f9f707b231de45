"""Balancers: whose turn it is among the endpoints that may be picked."""
