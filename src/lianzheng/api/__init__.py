"""HTTP: one router a slice, authentication, problem+json. No rules stand here."""
