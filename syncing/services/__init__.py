"""Use cases: everything that an operator, a schedule or a task may ask for."""
