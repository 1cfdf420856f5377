"""Scar by every rule, and what it amounts to."""
