"""Random statements over random tables, in words that mean the same to DuckDB and to PostgreSQL."""
