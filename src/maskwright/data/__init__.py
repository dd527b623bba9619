"""From a folder to batches: index, labels, split, fingerprint, preprocessing, cache, crops and the one warp."""
