"""Docker Swarm: services and tasks as a manager lists them, and of each node the containers that its tasks are.

The library that speaks to the engine is imported by `engine` alone, which is imported where this platform is used.
"""
