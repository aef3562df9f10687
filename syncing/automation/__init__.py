"""Whatever starts runs without a person."""
