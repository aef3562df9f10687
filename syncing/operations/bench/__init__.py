"""The bench: requests, pace, memory and CPU, measured on real processes and counted by the simulator's own log."""
