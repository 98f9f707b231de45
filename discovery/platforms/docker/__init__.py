"""Docker Engine: containers that others start are observed, Deployments become containers.

The library that speaks to the engine is imported by `engine` alone, which is imported where this platform is used.
"""
