"""What architectures compute with: layers, and fast forms of what they do."""
