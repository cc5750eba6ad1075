// Every sample as a point: the first method's score against the second's. On the dashed line both are equal.
"use strict";

heatmark.scatter = (place, rows, { metric, first, second }) => {
  const { svg, format } = heatmark;
  place.hidden = rows.length === 0;
  if (place.hidden) return;
  const size = heatmark.narrow() ? 360 : 440, left = 58, bottom = 48, top = 14, right = 14;
  const values = rows.flatMap(row => [row.first, row.second]);
  let low = Math.min(...values), high = Math.max(...values);
  const room = (high - low || Math.abs(high) || 1) * 0.05;
  [low, high] = [low - room, high + room];
  const x = heatmark.scale(low, high, left, size - right), y = heatmark.scale(low, high, size - bottom, top);
  const drawing = svg("svg", { viewBox: `0 0 ${size} ${size}`, class: "plot square", role: "img", "aria-label": `${metric.shown} of ${rows.length} samples: ${first.shown} against ${second.shown}` });
  if (metric.higher !== null) {
    // The side on which the first method is better.
    const corner = metric.higher ? [x(high), y(low)] : [x(low), y(high)];
    drawing.append(svg("polygon", { points: `${x(low)},${y(low)} ${x(high)},${y(high)} ${corner}`, class: "better" }));
  }
  for (const tick of heatmark.ticks(low, high)) {
    drawing.append(svg("line", { x1: x(tick), x2: x(tick), y1: top, y2: size - bottom, class: "grid" }), svg("line", { x1: left, x2: size - right, y1: y(tick), y2: y(tick), class: "grid" }));
    drawing.append(svg("text", { x: x(tick), y: size - bottom + 18, class: "tick", "text-anchor": "middle" }, String(tick)), svg("text", { x: left - 8, y: y(tick) + 4, class: "tick", "text-anchor": "end" }, String(tick)));
  }
  drawing.append(svg("line", { x1: x(low), y1: y(low), x2: x(high), y2: y(high), class: "diagonal" }));
  drawing.append(svg("text", { x: (left + size - right) / 2, y: size - 8, class: "axis", "text-anchor": "middle" }, `first: ${heatmark.shorter(first.shown, 40)}`));
  drawing.append(svg("text", { x: 14, y: (top + size - bottom) / 2, class: "axis", "text-anchor": "middle", transform: `rotate(-90 14 ${(top + size - bottom) / 2})` }, `second: ${heatmark.shorter(second.shown, 40)}`));
  for (const row of rows) {
    const dot = svg("circle", { cx: x(row.first), cy: y(row.second), r: rows.length > 300 ? 3 : 5, class: "point" });
    heatmark.tip(dot, `${row.target || row.sample}\n${row.sample}\nfirst ${format.number(row.first)}, second ${format.number(row.second)}: ${format.signed(row.difference)}`);
    drawing.append(dot);
  }
  const side = metric.higher === null ? "" : ` In the tinted half the first method is better.`;
  heatmark.figure(place, drawing, `${metric.shown} of every sample.${side} The table of samples below holds the same values.`);
};
