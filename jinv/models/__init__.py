"""Flax classifiers, their BatchNorm taps, the zoo, and weights in and out."""
