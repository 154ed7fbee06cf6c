"""Networks of the zoo, by the images that they were trained on."""
