"""Reads for pages, API and admin."""
