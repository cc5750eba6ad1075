// Mean perturbation curves: the chosen methods strongly, all others faintly behind them.
"use strict";

heatmark.load("board").then(board => {
  const { make, svg, format, scale } = heatmark;
  const form = document.getElementById("choices"), place = document.getElementById("curves"), legend = document.getElementById("legend");
  const STRONG = 5;
  let strong = new Set();

  const named = slug => board.metrics.find(metric => metric.slug === slug);

  let shown = "";

  const draw = async (data, metric) => {
    const s = board.settings.findIndex(setting => setting.data === data), setting = board.settings[s];
    if (shown !== `${data}/${metric}`) strong = new Set();
    shown = `${data}/${metric}`;
    const { methods, points, values } = await heatmark.load(`curves/${data}/${metric}`);
    const every = heatmark.floats(values), number = board.metrics.indexOf(named(metric));
    const rank = m => { const row = board.rows.find(one => one.s === s && one.m === m); return row?.ranks[setting.metrics.indexOf(number)] ?? Infinity; };
    const order = [...methods].sort((a, b) => rank(a) - rank(b));
    if (!order.some(m => strong.has(m))) strong = new Set(order.filter(m => !board.methods[m].control).slice(0, STRONG));
    const curve = m => { const at = methods.indexOf(m) * 3 * points; return [0, 1, 2].map(part => every.subarray(at + part * points, at + (part + 1) * points)); };

    const narrow = heatmark.narrow();
    const [width, height] = narrow ? [420, 340] : [800, 420], left = narrow ? 40 : 56, bottom = 46, top = 14, right = 30;
    const drawn = methods.flatMap(m => strong.has(m) ? curve(m) : curve(m).slice(0, 1));
    const finite = drawn.flatMap(part => Array.from(part)).filter(Number.isFinite);
    const low = Math.min(0, ...finite), high = Math.max(...finite);
    const x = scale(0, 1, left, width - right), y = scale(low, high + (high - low) * 0.05, height - bottom, top);
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: narrow ? "plot narrow" : "plot", role: "img", "aria-label": `Mean curves of ${methods.length} methods: ${named(metric).shown}` });
    for (const tick of heatmark.ticks(0, 1)) drawing.append(svg("line", { x1: x(tick), x2: x(tick), y1: top, y2: height - bottom, class: "grid" }), svg("text", { x: x(tick), y: height - bottom + 18, class: "tick", "text-anchor": "middle" }, `${Math.round(tick * 100)} %`));
    for (const tick of heatmark.ticks(low, high)) drawing.append(svg("line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick), class: "grid" }), svg("text", { x: left - 8, y: y(tick) + 4, class: "tick", "text-anchor": "end" }, String(tick)));
    drawing.append(svg("text", { x: (left + width - right) / 2, y: height - 8, class: "axis", "text-anchor": "middle" }, "share of positions"));
    const path = part => Array.from(part, (value, place) => [x(place / (points - 1)), y(value)]).filter(([, value]) => Number.isFinite(value)).map(pair => pair.map(value => value.toFixed(1)).join(",")).join(" ");
    for (const m of [...order.filter(one => !strong.has(one)), ...order.filter(one => strong.has(one)).reverse()]) {
      const [mean, below, above] = curve(m), method = board.methods[m];
      const group = heatmark.ink(svg("g", { class: strong.has(m) ? "" : "faint" }), method);
      if (strong.has(m)) group.append(svg("polygon", { points: `${path(above)} ${path(below).split(" ").reverse().join(" ")}`, fill: "currentColor", class: "band" }));
      const line = svg("polyline", { points: path(mean), class: "line", stroke: "currentColor", "stroke-dasharray": method.control ? "6 4" : null });
      group.append(line);
      const row = board.rows.find(one => one.s === s && one.m === m), at = setting.metrics.indexOf(number);
      heatmark.tip(line, `${method.shown}: ${named(metric).shown} ${format.number(row?.means[at])} ${format.interval(row?.lows[at], row?.highs[at])}`);
      drawing.append(group);
    }
    heatmark.figure(place, drawing, `${named(metric).shown} (${{ true: "higher", false: "lower" }[named(metric).higher] ?? "unknown which"} is better) on ${setting.title}. Controls are dashed.`);
    legend.replaceChildren(...order.map(m => {
      const button = make("button", { type: "button", "aria-pressed": String(strong.has(m)) }, heatmark.marker(board.methods[m]), board.methods[m].shown);
      button.addEventListener("click", () => {
        if (!strong.delete(m)) strong.add(m);
        draw(data, metric).then(() => legend.querySelectorAll("button")[order.indexOf(m)]?.focus());
      });
      return make("li", {}, button);
    }));
  };
  return heatmark.choose(board, form, JSON.parse(form.dataset.offered), draw, place)();
}).catch(error => heatmark.failed(document.getElementById("curves"), error));
