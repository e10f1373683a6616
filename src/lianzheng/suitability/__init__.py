"""Suitability of products for investors: profile, questionnaire, assessment, matching, mismatch (``domain.md`` §1)."""
