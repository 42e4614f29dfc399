# Filled by the Python build.
