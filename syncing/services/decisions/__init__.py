"""What people decide: approve, roll back, promote, accept a difference, leave something out."""
