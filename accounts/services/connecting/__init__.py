"""Connects accounts by OAuth: consent, invite links, and the hook of an uninstall."""
