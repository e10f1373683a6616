"""The consent gate: a provider evaluates its view keys on blinded elements only under a person's own token (§6)."""
