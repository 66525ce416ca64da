"""The session's models as objects of other frameworks. Each file imports its framework: import it only when asked."""
