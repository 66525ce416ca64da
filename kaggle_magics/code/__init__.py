"""Code out of answers: taken out of the prose around it, and checked."""
