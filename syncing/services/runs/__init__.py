"""Runs: made, joined, split into waves, one after the other, closed; and what follows from them."""
