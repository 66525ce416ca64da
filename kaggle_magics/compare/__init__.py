"""Prompts compared and tested: variants side by side, assertions about answers, test sets."""
