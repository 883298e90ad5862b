"""A real Home Assistant with demonstration cameras, set up as a user would do it."""
