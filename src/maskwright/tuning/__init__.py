"""Searching for settings: a space around a plan, trials of it with Optuna, and the best one as a plan.

Optuna is met in `study.py` alone, and imported only when a search begins.
"""
