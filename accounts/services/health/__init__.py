"""What is known of a connection: asking, judging, keeping, and checking many."""
