"""Hidden query: the requester opens the entry of its consenting customer; the provider learns nothing about whom (§7)."""
