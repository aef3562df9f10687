"""The resources of the API, one module each: what a request does to an account, under its rules."""
