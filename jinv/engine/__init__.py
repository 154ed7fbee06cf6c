"""One optimisation loop for every method: stages, steps, devices, checkpoints."""
