"""DID resolution and DID URL dereferencing (W3C DID Resolution), with a driver for each method."""
