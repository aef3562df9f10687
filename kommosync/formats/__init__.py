"""How dates are written, in every language: short, and never read as another day (12/01 is two days)."""
