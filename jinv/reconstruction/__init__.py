"""Photographs found again from what the layers of a network keep of them."""
