"""Chains: named prompts, each fed by the answers before it."""
