"""Parity of the ports: computed from the tables, the images and what passed, never kept by hand."""
