"""Who the accounts are, and how to talk to them."""

__version__ = "0.1.0"
