"""The sample payment service."""
