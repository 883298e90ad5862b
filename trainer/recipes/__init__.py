"""The systems of other authors, each a recipe: see :mod:`trainer.models.recipes`."""
