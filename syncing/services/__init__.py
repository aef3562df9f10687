"""The use cases: what an operator, a schedule or a task asks for."""
