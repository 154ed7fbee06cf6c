"""What the zoo holds, by the images that its networks were trained on."""
