"""Text in tags: web pages, XML, e-books."""
