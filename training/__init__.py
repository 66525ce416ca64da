"""How the bundled model is made: data, tokenizer, training, evaluation, export. Nobody needs it to use the package."""
