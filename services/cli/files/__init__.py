"""Files that commands write: tables of results, and reports."""
