"""The session's models as objects of other frameworks. Each file imports its framework; nothing imports the files at load."""
