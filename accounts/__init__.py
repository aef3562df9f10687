"""The accounts, their credentials and health, and the client that talks to Kommo."""

__version__ = "0.1.0"
