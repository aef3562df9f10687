"""One writer per resource kind, all of one shape: `write(context)` carries out the plan's changes of its kind."""
