"""Messages of OpenID4VCI 1.0 and OpenID4VP 1.0 that need no network and no state (docs/spec/openid.md)."""
