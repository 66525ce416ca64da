"""How well passages are found and questions answered, measured on questions with known answers."""
