"""Tables whose columns hold lists, names or numbers: Parquet, Arrow, CSV. Needs the extra ``arrow``."""
