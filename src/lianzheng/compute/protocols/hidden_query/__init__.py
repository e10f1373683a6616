"""Hidden query: the requester opens its consenting customer's entry; the provider learns nothing about whom (§7)."""
