"""The engine: what should be, what is, and the difference. Values in, values out; no IO, clock, log or Django."""
