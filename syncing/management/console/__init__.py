"""Terminal output of commands: progress, tables and plans; and seeing a run through."""
