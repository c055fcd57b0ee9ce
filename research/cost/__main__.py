"""`python -m research.cost`: print the comparison with the specification's printed figures."""

from research.cost.comparison import page

if __name__ == "__main__":
    print(page())
