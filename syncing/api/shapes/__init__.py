"""The shapes of answers: they describe what selectors make (docs/interface.md), and change nothing in it."""
