"""did:lz, identity numbers and elements, enrolment, credentials and their Data Integrity proofs (ID-1..3, ID-7)."""
