"""Files for people and for other software."""
