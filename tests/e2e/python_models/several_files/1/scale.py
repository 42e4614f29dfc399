def by_two(x):
    return x * 2
