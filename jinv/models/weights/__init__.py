"""Weights on disk: found or fetched, read whatever wrote them, drawn, and written."""
