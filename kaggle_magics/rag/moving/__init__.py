"""A collection as one file: out of a folder, into another."""
