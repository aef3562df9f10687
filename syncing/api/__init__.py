"""The REST API: Bearer keys, JSON in and out."""
