"""The resource kinds: each module holds the value of its kind and what makes two of them equal."""
