"""Accounts for django-import-export: resource, formats, and where uploads wait."""
