"""Many patients: the manifest, the work on Dask, tables for statistics and the page a reader walks through."""
