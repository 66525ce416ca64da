"""State in, HTML, Markdown and text out. Nothing here has state, runs a model, or trusts a text."""
