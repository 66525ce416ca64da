"""Answers that have to be something: a schema, choices, an expression."""
