"""Networks as Flax modules: a family of classifiers per file, and two that make images.

Sub-modules carry PyTorch's names, so that a parameter's path joined by dots is its key
in a state dict.
"""
