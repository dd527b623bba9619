"""Layouts: how people lay images and masks into folders. An open list; adding one is adding a file here."""

from maskwright.data.layouts.registry import Entry, Layout, Pairs, layouts, recognise

__all__ = ["Entry", "Layout", "Pairs", "layouts", "recognise"]
