"""Classifiers: what they are, what they have learnt, and where both come from.

`operations` is what networks compute with, `architectures` the networks, `catalogue`
those that others have trained, and `weights` what lies on disk. A `spec` says what a
classifier is, the `zoo` knows many by name, and `loading` and `wrapping` make a
`classifier`.
"""
