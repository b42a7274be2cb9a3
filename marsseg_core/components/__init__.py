"""The interface of each kind of component, and what each is given."""
