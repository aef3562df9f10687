"""What keeps connections alive while nobody looks."""
