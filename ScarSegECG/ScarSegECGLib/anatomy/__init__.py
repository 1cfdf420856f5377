"""LV geometry: centres, RV insertions, AHA-17 partition."""
