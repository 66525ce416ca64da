"""One prompt asked once a row."""
