"""Drift: what runs have seen of it, and runs that only look for it."""
