"""Pictures, curves and the page that a run leaves."""
