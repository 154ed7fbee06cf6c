"""One optimisation loop for every method: phases, steps, devices, checkpoints."""
