"""Figures and HTML pages, with one set of colours and sizes for all of them."""
