"""Turn a request into a plan: composition texts, options, metrics, and the resolver."""
