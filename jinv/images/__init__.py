"""Parametrisations of images, and the views through which they are seen."""
