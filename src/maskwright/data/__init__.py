"""From a folder to arrays: what is there, what it means, and how a network is fed."""
