"""Inside `python -m lpo.allocate`: configuration in; tables, figures, a report, a plan out."""
