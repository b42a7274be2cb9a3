"""The built-in components: ordinary plugins, declared in pyproject.toml as a third party declares its own."""
