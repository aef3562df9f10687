"""The web server: takes requests in whole before a thread answers them, within limits (docs/decisions/0014)."""
