"""The health of connections: asking an account, the verdict on the answer, storing it, and checking many."""
