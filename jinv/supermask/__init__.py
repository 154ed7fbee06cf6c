"""Networks hidden in random ones: scores, masks, and the search for them."""
