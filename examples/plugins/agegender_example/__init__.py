"""One plugin of each kind for agegender."""
