"""Read an LGE stack and bring it to canonical storage."""
