"""A file of accounts as rows, before anybody asks what they mean."""
