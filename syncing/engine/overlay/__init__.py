"""The master's snapshot with items of a slave laid over it, in the master's ids; for `engine.promotion`."""
