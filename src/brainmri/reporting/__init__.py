"""Figures drawn from tables, and the page that shows them."""
