"""The investor's side: keys, enrolment, consent, withdrawal. Its storage is a port (AUTH-7)."""
