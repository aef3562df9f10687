"""What should be, what is, and the difference: values in, values out; no IO, clock, log or Django."""
