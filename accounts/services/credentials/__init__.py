"""What an account is let in with: its stored tokens, who renews them, and a client that uses them."""
