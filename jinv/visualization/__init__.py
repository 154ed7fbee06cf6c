"""What units, directions, classes and layers of a network are excited by."""
