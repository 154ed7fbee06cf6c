"""Training networks: lessons about labelled images."""
