"""Labelled image sets: reading them in any form, augmenting and writing them."""
