"""Disturbing commands at their work, and comparing what they leave."""
