"""Dense networks: what they are made of, and how they start."""
