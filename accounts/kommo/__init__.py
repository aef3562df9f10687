"""The Kommo API client: HTTP, authorisation, pace and retries; no Django and no resource knowledge here."""
