"""Members of the alliance: their records, the agreement they sign, and who is whose sister (CON-7)."""
