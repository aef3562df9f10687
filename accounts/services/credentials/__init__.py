"""The stored tokens of an account, who renews them, and a client that uses them."""
