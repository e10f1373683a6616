"""Proof engine over BLS12-381: transcript, Schnorr, DLEQ, SPS-EQ. It knows groups and labels, no business words."""
