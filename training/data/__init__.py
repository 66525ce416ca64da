"""The synthetic data: one file a skill, every sentence our own, deterministic by seed."""
