"""The use cases of an operator with accounts."""
