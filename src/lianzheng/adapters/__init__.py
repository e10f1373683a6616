"""Everything that touches sockets, files and SQL: each adapter implements the port of an inner package."""
