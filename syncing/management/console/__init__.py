"""What commands say to people: progress, tables, plans; and how they are stopped."""
