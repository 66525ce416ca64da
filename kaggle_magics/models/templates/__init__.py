"""From messages to the text a model reads: its own chat template or a named one, and one renderer for every engine."""

from kaggle_magics.models.templates.finding import template_of
from kaggle_magics.models.templates.named import NAMED
from kaggle_magics.models.templates.rendering import Rendered, check_name, fill, render

__all__ = ["NAMED", "Rendered", "check_name", "fill", "render", "template_of"]
