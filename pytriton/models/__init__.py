"""Models by PyTriton's internal names, see model.py and manager.py."""
