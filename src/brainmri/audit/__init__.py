"""Copies of images, groups of copies, label conflicts."""
