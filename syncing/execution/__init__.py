"""Executing runs: lanes, one account in a thread, the master's reading, a run in the foreground, repairs."""
