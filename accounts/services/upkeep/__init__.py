"""Keeps connections alive while nobody looks."""
