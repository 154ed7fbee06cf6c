"""Judging images, one by one and as sets: metrics, their table, and evaluations."""
