"""Searching an inversion's settings."""
