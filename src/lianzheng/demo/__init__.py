"""The scene that ``make demo`` plays: real survey data, synthetic people, real nodes."""
