"""Where keys rest: a sealed file, and the passphrase file that a node reads at start."""
