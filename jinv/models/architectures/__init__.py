"""Flax modules: the classifiers of the zoo, by family, and the generators."""
