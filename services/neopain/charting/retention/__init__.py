"""How long which rows are kept, and whose rows are kept in any case."""
