"""OAuth as docs/kommo.md 1 tells it: integrations, consent page, token endpoint, look-up of an account's domain."""
