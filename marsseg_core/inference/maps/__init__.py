"""Predict images with georeference in windows, and write class maps, areas and polygons. Needs the extra `geo`."""
