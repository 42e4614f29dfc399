def by_one(x):
    return x + 1
