"""An example of a plugin for marsseg. This module imports nothing, so that the plugin loads quickly."""
