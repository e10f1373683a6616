"""Where members' own data comes from: files today, databases later. Reading is strict and all-or-nothing."""
