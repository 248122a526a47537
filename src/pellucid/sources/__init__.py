"""Sources in an image: where they are and how bright, large and round."""
