"""One module a step of the scene, in the order in which they are played."""
