"""From a model's folder to GGUF files of any type: convert, quantise, check, measure."""
