"""Training networks: on real images now, on synthetic ones to come."""
