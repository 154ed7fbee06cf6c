"""Networks that turn features back into images."""
