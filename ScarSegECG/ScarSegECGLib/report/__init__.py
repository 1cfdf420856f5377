"""One presentation of a result, and what renders it: page, print, terminal. Numbers and words come from the result."""
