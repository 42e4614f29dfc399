"""The backend of callables that are bound with `isolation="process"`."""
