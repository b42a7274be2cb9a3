"""Exporters: forms of a network that run without marsseg."""
