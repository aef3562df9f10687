"""The pages of people: dashboard, confirmation, runs, tokens."""
