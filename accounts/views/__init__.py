"""The pages of the accounts beside the admin's own."""
