"""Writes judge.json, figures of scikit-learn for small made-up answers and rows.

    pip install scikit-learn
    python judge.py
"""

import json
import pathlib

import numpy as np
from sklearn import linear_model, metrics

random = np.random.default_rng(4)


def rounded(array):
    """Numbers that survive a trip through f32 and JSON."""
    return np.asarray(array, dtype=np.float32).astype(np.float64)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def ece(stated, happened, bins=15):
    place = np.minimum((stated * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        rows = place == b
        if rows.any():
            total += rows.mean() * abs(stated[rows].mean() - happened[rows].mean())
    return total


def temperature(logits, labels):
    """The least of the smoothed log loss over a fine grid, then refined."""
    n, k = logits.shape
    doubt = 1 / (n + 1)
    share = np.full((n, k), doubt / k)
    share[np.arange(n), labels] += 1 - doubt

    def loss(beta):
        return -(share * np.log(softmax(beta * logits))).sum(axis=1).mean()

    low, high = 0.05, 20.0
    for _ in range(300):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return 2 / (low + high)


def answers(rows, classes, scale):
    labels = random.integers(0, classes, rows)
    logits = random.normal(size=(rows, classes))
    logits[np.arange(rows), labels] += 1.0
    logits = rounded(np.round(logits * scale, 2))
    p = softmax(logits)
    t = temperature(logits, labels)
    if classes == 2:
        stated, happened = p[:, 1], labels == 1
        auc = metrics.roc_auc_score(labels, p[:, 1])
        ap = metrics.average_precision_score(labels, p[:, 1])
        brier = metrics.brier_score_loss(labels, p[:, 1])
    else:
        stated, happened = p.max(axis=1), p.argmax(axis=1) == labels
        truth = np.eye(classes)[labels]
        auc = metrics.roc_auc_score(labels, p, multi_class="ovr", average="macro")
        ap = metrics.average_precision_score(truth, p, average="macro")
        brier = ((p - truth) ** 2).sum(axis=1).mean()
    return {
        "classes": classes,
        "logits": logits.ravel().tolist(),
        "labels": labels.tolist(),
        "auc": auc,
        "average_precision": ap,
        "brier": brier,
        "ece": ece(stated, happened),
        "log_loss": metrics.log_loss(labels, p, labels=range(classes)),
        "temperature": t,
    }


def rows(n, width):
    x = random.normal(size=(n, width))
    x[:, 0] = random.integers(0, 2, n)
    return rounded(np.round(x, 2))


def logistic(classes, c):
    x = rows(60, 4)
    z = x @ random.normal(size=(4, classes)) + random.normal(size=(60, classes))
    y = z.argmax(axis=1)
    model = linear_model.LogisticRegression(C=c, tol=1e-12, max_iter=10_000).fit(x, y)
    said = model.decision_function(x[:5])
    p = model.predict_proba(x)
    return {
        "classes": classes,
        "c": c,
        "x": x.ravel().tolist(),
        "y": y.tolist(),
        "probabilities": model.predict_proba(x[:5]).ravel().tolist(),
        "outputs": said.ravel().tolist(),
        "log_loss": metrics.log_loss(y, p),
    }


def ridge(alpha):
    x = rows(50, 4)
    y = np.round(x @ random.normal(size=(4, 2)) + random.normal(size=(50, 2)), 3)
    model = linear_model.Ridge(alpha=alpha).fit(x, y)
    return {
        "alpha": alpha,
        "x": x.ravel().tolist(),
        "y": y.ravel().tolist(),
        "outputs": model.predict(x[:5]).ravel().tolist(),
    }


golden = {
    "answers": [answers(80, 2, 1.0), answers(60, 3, 2.5), answers(50, 4, 0.4)],
    "logistic": [logistic(2, 0.5), logistic(3, 2.0)],
    "ridge": [ridge(0.7), ridge(20.0)],
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden) + "\n")
