"""Documents, presentations and workbooks."""
