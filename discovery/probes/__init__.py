"""Probe actions: one file for each of Kubernetes' four, and what they share."""
