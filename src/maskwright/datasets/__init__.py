"""Public data sets: a card each, and the way from a publisher's archive to a folder that can be trained on.

>>> from maskwright.datasets import cards, get
>>> [card.name for card in cards() if card.automatic][0]
'camvid'
>>> get("oxford-pets", "data", agree=True)  # doctest: +SKIP
PosixPath('data/oxford-pets')
"""

from maskwright.datasets.dataset_card import DatasetCard, Download, card, cards
from maskwright.datasets.getting import get, prepare, there

__all__ = ["DatasetCard", "Download", "card", "cards", "get", "prepare", "there"]
