"""Selections of one curve again, point by point, with loops and fitted parabolas."""

import math

import numpy as np

METHODS = ("accuracy_max", "max_cube", "utopia", "knee_curvature", "knee_chord")


def front_of(points, feasible):
    """Indices of feasible points (cost, time, accuracy) that no feasible one dominates."""
    chosen = [i for i in range(len(points)) if feasible[i]]
    return [i for i in chosen if not any(dominates(points[q], points[i]) for q in chosen)]


def dominates(q, p):
    as_good = q[0] <= p[0] and q[1] <= p[1] and q[2] >= p[2]
    return as_good and (q[0] < p[0] or q[1] < p[1] or q[2] > p[2])


def scores_of(points, feasible, limits, k, scale, cube, methods=METHODS):
    """Of each method: {index: score}, greater is better but for utopia. k None: length."""
    front = front_of(points, feasible)
    at = {i: coordinates(points, front, i, limits, scale) for i in front}
    anywhere = [i for i in range(len(points)) if feasible[i]]
    of = {
        "accuracy_max": lambda: {i: points[i][2] for i in anywhere},
        "max_cube": lambda: {i: volume(points[i], limits, cube) for i in anywhere},
        "utopia": lambda: {i: math.dist(at[i], (0, 0, 0)) for i in front},
        "knee_curvature": lambda: {
            b: bend([at[i] for i in (a, b, c)], None if k is None else [k[i] for i in (a, b, c)])
            for a, b, c in zip(front, front[1:], front[2:], strict=False)
        },
        "knee_chord": lambda: {i: away(at[i], at[front[0]], at[front[-1]]) for i in front[1:-1]},
    }
    return {method: of[method]() for method in methods}


def volume(point, limits, cube):
    cost, time, accuracy = point
    left = max(1.0 - cost / limits[0], 0.0) * max(1.0 - time / limits[1], 0.0)
    if cube == "accuracy":
        return left * accuracy
    return left * max(accuracy - limits[2], 0.0) / (1.0 - limits[2])


def coordinates(points, front, i, limits, scale):
    if scale == "budget":
        return (points[i][0] / limits[0], points[i][1] / limits[1], 1.0 - points[i][2])
    found = []
    for axis, sign in ((0, 1.0), (1, 1.0), (2, -1.0)):
        values = [sign * points[j][axis] for j in front]
        wide = max(values) - min(values)
        found.append((sign * points[i][axis] - min(values)) / wide if wide > 0 else 0.0)
    return tuple(found)


def bend(three, k):
    """Curvature of the parabola through three points, in the middle one."""
    if k is None:
        k = [0.0, math.dist(three[0], three[1])]
        k.append(k[1] + math.dist(three[1], three[2]))
    first, second = [], []
    for axis in range(3):
        a, b, _ = np.polyfit(np.array(k) - k[1], [point[axis] for point in three], 2)
        first.append(b)
        second.append(2.0 * a)
    return np.linalg.norm(np.cross(first, second)) / np.linalg.norm(first) ** 3


def away(point, start, end):
    """Distance from a line: twice the area of the triangle over its base (Heron)."""
    a, b, c = math.dist(start, end), math.dist(point, start), math.dist(point, end)
    if a == 0.0:
        return b
    half = (a + b + c) / 2
    return 2.0 * math.sqrt(max(half * (half - a) * (half - b) * (half - c), 0.0)) / a


def best_of(method, scores):
    """The best score, NaN where there is none."""
    if not scores:
        return math.nan
    return min(scores.values()) if method == "utopia" else max(scores.values())
