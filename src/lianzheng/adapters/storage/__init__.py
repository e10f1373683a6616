"""The member's database: SQLite in WAL mode; one table module and one repository module a slice."""
