"""Learned priors: what images, or the features of a layer, usually look like."""
