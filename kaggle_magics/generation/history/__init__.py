"""Everything that was asked."""
