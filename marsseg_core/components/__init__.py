"""The interface of each kind of component, and the specs that are passed to components when they build."""
