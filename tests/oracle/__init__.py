"""Judges that are not the engine: Tidemill's answers beside those of PostgreSQL and of DuckDB."""
