"""From what was asked for to a plan: grammar, options, and the resolver."""
