"""CometBFT's messages, written by ``tools/protos.py``; nothing here is edited by hand."""
