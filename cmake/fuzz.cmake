# Filled by the fuzz build.
