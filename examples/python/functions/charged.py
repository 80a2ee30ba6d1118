# /// tidemill
# args = ["double", "bigint"]
# returns = "double"
# ///
"""What is charged for so many pieces: from ten on, a tenth less."""


def charged(price: float, pieces: int) -> float:
    return price * pieces * (0.9 if pieces >= 10 else 1.0)
