"""Messages: what happened, who is told of it, and in which words. Nothing here is rendered or sent where it happens."""
