"""One writer per resource kind, all of one shape: `write(work)` carries out the plan's changes of its kind."""
