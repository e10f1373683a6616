"""Use cases that cross slices; they call services and ports only."""
