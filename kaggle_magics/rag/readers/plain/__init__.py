"""Text as it is written: each block is a slice of the file."""
