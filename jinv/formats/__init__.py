"""Reading files of strangers: nothing in them is run, or takes more than it is."""
