"""The scene that ``make demo`` plays: three brokers, real servers, real files, real refusals."""
