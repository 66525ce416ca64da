"""Live objects and files beside a prompt: described in words within a token budget, or sent as images."""
