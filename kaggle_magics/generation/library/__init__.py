"""Prompts that are kept in files."""
