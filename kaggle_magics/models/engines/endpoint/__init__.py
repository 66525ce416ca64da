"""Answers from servers that speak OpenAI's HTTP API: vLLM, llama-server, Ollama, `transformers serve`, a hosted GPT.

`parse` reads what a person types, `connect` gives the engine. Nothing but the standard library is used.
"""

from kaggle_magics.models.engines.endpoint.engine import EndpointEngine, connect
from kaggle_magics.models.engines.endpoint.http import Limits
from kaggle_magics.models.engines.endpoint.reference import EndpointReference, parse

__all__ = ["EndpointEngine", "EndpointReference", "Limits", "connect", "parse"]
