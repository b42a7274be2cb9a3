"""The built-in components of marsseg: ordinary plugins, declared in pyproject.toml as a third party declares its own."""
