// Quality against cost: every method by its mean rank and what it costs; the front is what Python found.
"use strict";

heatmark.load("board").then(board => {
  const { make, svg, format, scale } = heatmark;
  const form = document.getElementById("choices"), place = document.getElementById("costs"), legend = document.getElementById("legend");
  const table = document.getElementById("points");
  const CHEAPEST = 0.01;  // some controls ask nothing of the network: they stand at the edge
  let named = new Set(), shown = "";

  const joined = point => ({ ...point, method: board.methods[point.m], at: Math.max(point.cost[0], CHEAPEST) });
  const tickText = cost => `${Number(cost.toPrecision(3))}x`;

  // Powers of ten, at most so many.
  const powers = (low, high, most) => {
    const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9), every = Math.max(1, Math.ceil((last - first + 1) / most));
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, number) => first + number).filter(power => (power - first) % every === 0).map(power => 10 ** power);
  };

  // Where a name stands: of the places around its point the one that covers least of other names and points.
  const around = (x, y, wide) => [[9, 4, "start"], [-9, 4, "end"], [0, -11, "middle"], [0, 19, "middle"], [8, -8, "start"], [-8, -8, "end"], [8, 16, "start"], [-8, 16, "end"]]
    .map(([dx, dy, anchor]) => {
      const from = x + dx - (anchor === "end" ? wide : anchor === "middle" ? wide / 2 : 0);
      return { x: x + dx, y: y + dy, anchor, box: [from, y + dy - 11, from + wide, y + dy + 3] };
    });
  const overlap = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const outside = (box, frame) => overlap(box, [-1e4, -1e4, 1e4, 1e4]) - overlap(box, frame);

  const draw = async (data, metric) => {
    const found = await heatmark.load(`costs/${data}`), narrow = heatmark.narrow();
    const places = found.places.map(one => ({ ...one, points: one.points.map(joined) }));
    if (shown !== data) named = new Set(places.flatMap(one => one.points.filter(point => point.front).map(point => point.m)));
    shown = data;
    const order = [...new Map(places.flatMap(one => one.points).sort((a, b) => a.rank[0] - b.rank[0]).map(point => [point.m, point])).keys()];
    place.replaceChildren(...places.map(one => {
      const figure = make("figure");
      drawOne(figure, one, narrow);
      return figure;
    }));
    legend.replaceChildren(...order.map(m => {
      const button = make("button", { type: "button", "aria-pressed": String(named.has(m)) }, heatmark.marker(board.methods[m]), board.methods[m].shown);
      button.addEventListener("click", () => {
        if (!named.delete(m)) named.add(m);
        draw(data, metric).then(() => legend.querySelectorAll("button")[order.indexOf(m)]?.focus());
      });
      return make("li", {}, button);
    }));
    heatmark.table(table, {
      label: "Quality against cost", rows: places.flatMap(one => one.points.map(point => ({ ...point, place: one }))),
      rowClass: row => row.method.control ? "control" : "",
      columns: [
        { key: "method", head: "method", kind: "words", header: true, value: row => row.method.id, text: row => row.method.shown, fill: (cell, row) => heatmark.methodCell(cell, row.method) },
        ...(places.length > 1 ? [{ key: "place", head: "measured on", kind: "words", value: row => row.place.title, text: row => row.place.title }] : []),
        { key: "rank", head: "mean rank", kind: "number", value: row => row.rank[0], text: row => format.decimals(row.rank[0]) },
        { key: "interval", head: "interval", kind: "number", value: row => row.rank[1], text: row => format.interval(row.rank[1], row.rank[2], format.decimals) },
        { key: "cost", head: "cost", title: "Time per image in bare forward passes of the network", kind: "number", value: row => row.cost[0], text: row => row.costText },
        ...(places.some(one => one.points.some(point => point.costEnds)) ? [{ key: "ends", head: "interval of the cost", kind: "number", value: row => row.cost[1], text: row => row.costEnds }] : []),
        { key: "time", head: "time per image", kind: "number", value: row => row.seconds, text: row => row.timeText },
        { key: "front", head: "on the front", kind: "words", descending: true, value: row => row.front ? "yes" : "", text: row => row.front ? "yes" : "" },
      ],
    });
  };

  const drawOne = (figure, { title, source, points }, narrow) => {
    const [width, height] = narrow ? [440, 420] : [860, 480], left = narrow ? 40 : 52, right = 20, top = 12, bottom = 48;
    const lowest = Math.max(...points.map(point => point.rank[2] ?? point.rank[0])), costs = points.map(point => point.at);
    const ends = [Math.min(...costs) / 1.8, Math.max(...costs) * 1.8];
    const along = scale(Math.log(ends[0]), Math.log(ends[1]), left, width - right), x = cost => along(Math.log(Math.max(cost, CHEAPEST)));
    const y = scale(0.5, lowest + 0.5, top, height - bottom);
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: narrow ? "plot narrow" : "plot", role: "group", "aria-label": `Mean rank against cost of ${points.length} methods: ${title}` });
    for (const tick of powers(...ends, narrow ? 5 : 8)) drawing.append(svg("line", { x1: x(tick), x2: x(tick), y1: top, y2: height - bottom, class: "grid" }), svg("text", { x: x(tick), y: height - bottom + 18, class: "tick", "text-anchor": "middle" }, tickText(tick)));
    for (const tick of new Set([1, ...heatmark.ticks(1, lowest)])) drawing.append(svg("line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick), class: "grid" }), svg("text", { x: left - 8, y: y(tick) + 4, class: "tick", "text-anchor": "end" }, String(tick)));
    drawing.append(svg("text", { x: (left + width - right) / 2, y: height - 8, class: "axis", "text-anchor": "middle" }, "cost in bare forward passes of the network"),
      svg("text", { x: 12, y: (top + height - bottom) / 2, class: "axis", "text-anchor": "middle", transform: `rotate(-90 12 ${(top + height - bottom) / 2})` }, "mean rank (1 = best)"));
    const front = points.filter(point => point.front), steps = front.flatMap((point, number) => [...(number ? [[x(point.cost[0]), y(front[number - 1].rank[0])]] : []), [x(point.cost[0]), y(point.rank[0])]]);
    if (front.length > 1) drawing.append(svg("polyline", { points: steps.map(pair => pair.map(value => value.toFixed(1)).join(",")).join(" "), class: "front" }));
    const taken = points.map(point => [x(point.at) - 5, y(point.rank[0]) - 5, x(point.at) + 5, y(point.rank[0]) + 5]), frame = [left, top, width - right, height - bottom], words = [];
    for (const point of points) {
      const group = svg("g", { tabindex: "0", class: "mark point-mark", role: "img" }), across = x(point.at), down = y(point.rank[0]);
      if (point.rank[1] !== null) group.append(heatmark.ink(svg("line", { x1: across, x2: across, y1: y(point.rank[1]), y2: y(point.rank[2]), class: "whisker" }), point.method));
      if (point.cost[1] !== null) group.append(heatmark.ink(svg("line", { x1: x(point.cost[1]), x2: x(point.cost[2]), y1: down, y2: down, class: "whisker" }), point.method));
      group.append(svg("circle", { cx: across, cy: down, r: 9, class: "hit" }), heatmark.shape(point.method, { transform: `translate(${across - 6.5} ${down - 6.5}) scale(1.3)` }));
      const interval = format.interval(point.rank[1], point.rank[2], format.decimals);
      heatmark.tip(group, `${point.method.shown}${point.method.control ? " (control)" : ""}\nmean rank ${format.decimals(point.rank[0])}${interval ? ` ${interval}` : ""}\ncost ${point.costText}${point.costEnds ? ` ${point.costEnds}` : ""}, ${point.timeText} per image${point.front ? "\non the front" : ""}`);
      drawing.append(group);
      if (!named.has(point.m)) continue;
      const text = heatmark.shorter(point.method.shown, narrow ? 20 : 34);
      const best = around(across, down, text.length * 6.7).map(one => ({ ...one, cost: [...taken, ...words].reduce((sum, box) => sum + overlap(one.box, box), 0) + 3 * outside(one.box, frame) }))
        .reduce((a, b) => b.cost < a.cost ? b : a);
      words.push(best.box);
      drawing.append(svg("text", { x: best.x, y: best.y, "text-anchor": best.anchor, class: point.front ? "label front-name" : "label" }, text));
    }
    const cheap = points.some(point => point.cost[0] < CHEAPEST) ? ` Costs below ${tickText(CHEAPEST)} stand there.` : "";
    heatmark.figure(figure, drawing, `${title}; costs of ${source}. Lines are 95 % intervals; dotted, with its names in bold: the front.${cheap}`);
  };

  return heatmark.choose(board, form, JSON.parse(form.dataset.offered), draw, place)();
}).catch(error => heatmark.failed(document.getElementById("costs"), error));
