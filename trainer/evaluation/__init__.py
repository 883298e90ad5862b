"""How good a model is, and for whom."""
