# SPDX-License-Identifier: MIT
"""The convolutions' rows as a roofline (Williams, Waterman and Patterson 2009), an SVG."""
import math

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 176, 24, 52
COLOURS = {"winograd": "#b3261e", "winograd_2x2": "#d97706", "direct": "#1f5fa8",
           "pointwise": "#2e7d32", "depthwise": "#8a5a00", "gemm": "#6b6b6b"}
STYLE = "font-family:sans-serif;font-size:12px;fill:#222"


def least_bytes(shape):
    """Of f32 tensors, each read or written once."""
    out = (shape.side + 2 * shape.pad - shape.window) // shape.stride + 1
    image = shape.batch * shape.c * shape.side ** 2
    result = shape.batch * shape.o * out ** 2
    return 4 * (image + result + shape.o * shape.c * shape.window ** 2)


def decade_ticks(low, high):
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for step in (1, 2, 5):
            value = step * 10.0 ** power
            if low <= value <= high:
                yield value


class Axes:
    """Both logarithmic."""

    def __init__(self, x_low, x_high, y_low, y_high):
        self.x_range, self.y_range = (x_low, x_high), (y_low, y_high)

    def x(self, value):
        low, high = map(math.log, self.x_range)
        return LEFT + (math.log(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        low, high = map(math.log, self.y_range)
        return HEIGHT - BOTTOM - (math.log(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def lines(self):
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for value in decade_ticks(*self.x_range):
            at = self.x(value)
            yield f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{bottom}" stroke="#ddd"/>'
            yield (f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle" style="{STYLE}">'
                   f'{value:g}</text>')
        for value in decade_ticks(*self.y_range):
            at = self.y(value)
            yield f'<line x1="{LEFT}" y1="{at:.1f}" x2="{right}" y2="{at:.1f}" stroke="#ddd"/>'
            yield (f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end" style="{STYLE}">'
                   f'{value:g}</text>')
        yield (f'<text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle" '
               f'style="{STYLE}">FLOP per byte that must be moved</text>')
        yield (f'<text x="14" y="{(TOP + bottom) / 2:.0f}" text-anchor="middle" style="{STYLE}" '
               f'transform="rotate(-90 14 {(TOP + bottom) / 2:.0f})">GFLOP/s</text>')


def roof(axes, peak, bandwidth):
    ridge, (low, high) = peak / bandwidth, axes.x_range
    corners = [(low, min(peak, low * bandwidth))]
    if low < ridge < high:
        corners.append((ridge, peak))
    corners.append((high, min(peak, high * bandwidth)))
    path = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in corners)
    yield f'<polyline points="{path}" fill="none" stroke="#222" stroke-width="1.5"/>'
    yield (f'<text x="{WIDTH - RIGHT + 8}" y="{axes.y(peak) + 4:.1f}" style="{STYLE}">'
           f'FMA peak {peak:.0f}</text>')
    yield (f'<text x="{WIDTH - RIGHT + 8}" y="{axes.y(peak) + 20:.1f}" style="{STYLE}">'
           f'memory {bandwidth:.0f} GB/s</text>')


def legend(names, top):
    for i, name in enumerate(names):
        y = top + 18 * i
        yield (f'<circle cx="{WIDTH - RIGHT + 14}" cy="{y}" r="4" '
               f'fill="{COLOURS.get(name, "#444")}" fill-opacity="0.7"/>')
        yield f'<text x="{WIDTH - RIGHT + 24}" y="{y + 4}" style="{STYLE}">{name}</text>'


def svg(rows, shapes):
    """rows of one instruction set and number of threads, of which each has read_gbs; shapes by their
    names."""
    points = [(row["flops"] / least_bytes(shapes[row["workload"]]),
               1e-6 * row["flops"] / row["ours"], row["impl"], row["workload"]) for row in rows]
    peak = max(row["fma_peak_gflops"] for row in rows)
    bandwidth = max(row["read_gbs"] for row in rows)
    axes = Axes(min(p[0] for p in points) / 1.3, max(p[0] for p in points) * 1.3,
                min(p[1] for p in points) / 1.3, 1.3 * max(peak, *(p[1] for p in points)))
    names = [name for name in COLOURS if any(p[2] == name for p in points)]
    body = [*axes.lines(), *roof(axes, peak, bandwidth)]
    for x, y, name, workload in points:
        body.append(f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="4" '
                    f'fill="{COLOURS.get(name, "#444")}" fill-opacity="0.7">'
                    f'<title>{workload}: {y:.0f} GFLOP/s</title></circle>')
    body += legend(names, int(axes.y(peak)) + 48)
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
                      f'height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">',
                      f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *body, "</svg>",
                      ""])
