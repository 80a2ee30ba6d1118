"""A grid search of scikit-learn whose fits are calls of Tidemill.

A support vector classifier reads the 1797 handwritten digits that scikit-learn ships. The search is made twice,
in this process and through the backend of joblib, and gives the same scores.

    python grid_search.py
"""

import numpy as np
import tidemill.joblib  # noqa: F401 (registers the backend)
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

GRID = {"C": [0.1, 1, 10, 100], "gamma": [0.0001, 0.001, 0.01]}


def main() -> None:
    images, digits = load_digits(return_X_y=True)
    search = GridSearchCV(SVC(), GRID, cv=3)
    search.fit(images, digits)
    sequential = search.cv_results_["split0_test_score"], search.cv_results_["mean_test_score"]

    search = GridSearchCV(SVC(), GRID, cv=3, n_jobs=-1)
    with parallel_config("tidemill"):
        search.fit(images, digits)
    parallel = search.cv_results_["split0_test_score"], search.cv_results_["mean_test_score"]

    print(f"{len(search.cv_results_['params'])} candidates, best {search.best_params_} with {search.best_score_:.4f}")
    print(f"the scores are those of the sequential search: {np.array_equal(sequential, parallel)}")


if __name__ == "__main__":
    main()
