"""Grammars that answers are held to while they are decoded, by llguidance: which token may come next."""
