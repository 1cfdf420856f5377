"""A result to walk through in a browser: every slice with what was found over it, and both bullseyes."""
