"""Reading labelled image sets."""
