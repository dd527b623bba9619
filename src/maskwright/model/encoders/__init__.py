"""Encoders: what looks at the image and hands features to the decoder."""
