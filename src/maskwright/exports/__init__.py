"""Exports ‹open list›: a model as a file that other programs run, each checked against PyTorch."""
