"""What the options of the prompting magics do, one idea a file."""
