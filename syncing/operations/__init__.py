"""First run and running: the environment file, child processes, and what setup, up, demo, doctor and bench do."""
