"""A strict Kommo in memory, for tests, the demo and the bench: a second opinion that knows nothing of our client."""
