"""Named primitives behind narrow, checked functions: digests, Ed25519, sealing, hash to curve, BLS12-381."""
