"""How an account is connected by OAuth: consent, invite links, and the hook of an uninstall."""
