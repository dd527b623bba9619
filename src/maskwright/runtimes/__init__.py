"""Runtimes ‹open list›: ways to compute a network, which give the same logits."""
