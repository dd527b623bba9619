"""Layouts: how people lay images and masks into folders. An open list; adding one is adding a file here."""

from maskwright.data.layouts.looking import Told
from maskwright.data.layouts.recognition import recognise
from maskwright.data.layouts.registry import Entry, Layout, Pairs, layouts

__all__ = ["Entry", "Layout", "Pairs", "Told", "layouts", "recognise"]
