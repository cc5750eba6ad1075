// Figures as SVG, drawn from the data, with the value of every mark on hovering and on focus.
"use strict";

(() => {
  const { format, make } = heatmark;
  const SPACE = "http://www.w3.org/2000/svg";

  heatmark.svg = (name, attributes = {}, ...children) => {
    const element = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const svg = heatmark.svg;

  const tip = make("div", { class: "tip", role: "status", hidden: true });
  document.body.append(tip);
  const hide = () => { tip.hidden = true; };

  // Say `words` beside an element while it is pointed at or has the focus.
  heatmark.tip = (element, words) => {
    const show = () => {
      tip.textContent = words;
      tip.hidden = false;
      const box = element.getBoundingClientRect(), width = tip.offsetWidth;
      tip.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, box.left + box.width / 2 - width / 2)) + scrollX}px`;
      tip.style.top = `${box.top + scrollY - tip.offsetHeight - 8}px`;
    };
    element.setAttribute("aria-label", words);
    for (const event of ["pointerenter", "focus"]) element.addEventListener(event, show);
    for (const event of ["pointerleave", "blur"]) element.addEventListener(event, hide);
  };
  addEventListener("keydown", event => { if (event.key === "Escape") hide(); });

  // Return round numbers that cover an interval.
  heatmark.ticks = (low, high, wanted = 5) => {
    if (!(high > low)) return [low];
    const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map(factor => factor * power).find(size => size >= rough);
    const found = [];
    for (let tick = Math.ceil(low / step); tick * step <= high + step * 1e-9; tick += 1) found.push(Number((tick * step).toPrecision(12)));
    return found;
  };

  // Return a scale from values to pixels.
  heatmark.scale = (low, high, from, to) => value => from + (to - from) * (high > low ? (value - low) / (high - low) : 0.5);

  heatmark.figure = (place, drawing, caption) => {
    place.replaceChildren(make("div", { class: "drawing" }, drawing), make("figcaption", {}, caption));
  };

  // The mean ranks of one table with their intervals; nothing where rows of several tables are shown.
  heatmark.drawRanks = (place, rows) => {
    const shown = rows.filter(row => row.rank !== null);
    place.hidden = shown.length < 2 || new Set(rows.map(row => row.s)).size !== 1;
    if (place.hidden) return;
    const step = 22, left = 250, width = 800, top = 26, height = top + step * shown.length + 8;
    const ends = shown.flatMap(row => [row.low ?? row.rank, row.high ?? row.rank]);
    const low = Math.min(1, ...ends), high = Math.max(...ends), at = heatmark.scale(low, high, left, width - 24);
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img", "aria-label": `Mean ranks with 95 % intervals of ${shown.length} methods, best first` });
    for (const tick of heatmark.ticks(low, high)) {
      drawing.append(svg("line", { x1: at(tick), x2: at(tick), y1: top - 4, y2: height - 6, class: "grid" }));
      drawing.append(svg("text", { x: at(tick), y: top - 10, class: "tick", "text-anchor": "middle" }, String(tick)));
    }
    [...shown].sort((one, other) => one.rank - other.rank).forEach((row, number) => {
      const y = top + step * number + step / 2;
      const mark = svg("g", { tabindex: "0", class: "mark", role: "img" },
        svg("rect", { x: 0, y: y - step / 2, width, height: step, class: "hit" }),
        svg("text", { x: left - 14, y: y + 4, "text-anchor": "end", class: row.method.control ? "name control" : "name" }, shorter(row.method.shown)));
      if (row.low !== null) mark.append(heatmark.ink(svg("line", { x1: at(row.low), x2: at(row.high), y1: y, y2: y, stroke: "currentColor", "stroke-width": 3, "stroke-linecap": "round", opacity: 0.45 }), row.method));
      mark.append(heatmark.shape(row.method, { transform: `translate(${at(row.rank) - 6} ${y - 6}) scale(1.2)` }));
      const interval = format.interval(row.low, row.high, format.decimals);
      heatmark.tip(mark, `${row.method.shown}: mean rank ${format.decimals(row.rank)}${interval ? ` ${interval}` : ""}${row.tie ? `, not told apart from places ${row.tie}` : ""}`);
      drawing.append(mark);
    });
    heatmark.figure(place, drawing, `Mean ranks on ${rows[0].setting.title}, 1 being best. Ranks are those of the whole table, whatever is filtered; lines are 95 % intervals over samples.`);
  };

  const shorter = (text, length = 28) => text.length <= length ? text : `${text.slice(0, length - 1)}…`;
  heatmark.shorter = shorter;
})();
