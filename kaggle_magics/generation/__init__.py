"""One request, one answer: the worker that streams and stops, and what comes back."""
