"""Whole data sets made by inversion: grown batch by batch, filtered, exported."""
