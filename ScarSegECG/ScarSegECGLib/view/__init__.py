"""Pictures, laid out once as plain shapes and painted for files or for live views."""
