"""Recipes: whole training systems of others, one YAML file each, with the number their author reached and ours."""

from maskwright.recipes.recipe import Measured, Recipe, recipe, recipes

__all__ = ["Measured", "Recipe", "recipe", "recipes"]
