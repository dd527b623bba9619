"""Recipes: whole training systems of others, one YAML file each, with the number their author reached and ours."""

from maskwright.recipes.building import build
from maskwright.recipes.recipe import Measured, Recipe, recipe, recipes

__all__ = ["Measured", "Recipe", "build", "recipe", "recipes"]
