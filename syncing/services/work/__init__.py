"""The work on accounts: who has which in hand, with what rules, and what is stored of it."""
