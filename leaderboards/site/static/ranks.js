// A line for each method, from the best: its mean rank with its interval, and bars that join what is not told apart.
"use strict";

(() => {
  const { format, svg } = heatmark;

  // Put bars side by side where they would overlap: the lane of each, which says nothing else.
  const lanesOf = groups => {
    const ends = [];
    return groups.map(group => {
      let lane = ends.findIndex(end => end < group[0]);
      if (lane < 0) lane = ends.length;
      ends[lane] = group.at(-1);
      return lane;
    });
  };

  // `rows` are { method, rank, low, high, words, leads, blocks } from best to worst; `groups` are lists of places in it.
  heatmark.drawLines = (place, rows, { label, caption, groups = [] }) => {
    const narrow = heatmark.narrow(), step = 22, top = 26, width = narrow ? 440 : 860;
    const lanes = lanesOf(groups), across = Math.max(0, ...lanes.map(lane => lane + 1));
    const gap = across ? Math.min(narrow ? 7 : 10, (narrow ? 90 : 220) / across) : 0, named = narrow ? 168 : 250;
    const left = named + across * gap + (across ? 12 : 0), height = top + step * rows.length + 8;
    const ends = rows.flatMap(row => [row.low ?? row.rank, row.high ?? row.rank, ...(row.blocks ?? [])]);
    const low = Math.min(1, ...ends), high = Math.max(...ends), at = heatmark.scale(low, high, left, width - 24);
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: narrow ? "plot narrow" : "plot", role: "group", "aria-label": label });
    for (const tick of heatmark.ticks(low, high, narrow ? 4 : 6)) {
      drawing.append(svg("line", { x1: at(tick), x2: at(tick), y1: top - 4, y2: height - 6, class: "grid" }));
      drawing.append(svg("text", { x: at(tick), y: top - 10, class: "tick", "text-anchor": "middle" }, String(tick)));
    }
    const middle = number => top + step * number + step / 2;
    const bars = groups.map((group, number) => {
      const x = named + (lanes[number] + 0.5) * gap, bar = svg("g", { class: "bar-group" });
      bar.append(svg("line", { x1: x, x2: x, y1: middle(group[0]), y2: middle(group.at(-1)), class: "together" }));
      for (const one of group) bar.append(svg("circle", { cx: x, cy: middle(one), r: narrow ? 1.8 : 2.4, class: "member" }));
      return bar;
    });
    const marks = rows.map((row, number) => {
      const y = middle(number);
      const mark = svg("g", { tabindex: "0", class: row.leads ? "mark leads" : "mark", role: "img" },
        svg("rect", { x: 0, y: y - step / 2, width, height: step, class: "hit" }),
        svg("text", { x: named - 14, y: y + 4, "text-anchor": "end", class: row.method.control ? "name control" : "name" }, heatmark.shorter(row.method.shown, narrow ? 20 : 34)));
      for (const one of row.blocks ?? []) mark.append(svg("line", { x1: at(one), x2: at(one), y1: y - 4, y2: y + 4, class: "stroke" }));
      if (row.low !== null && row.low !== undefined) mark.append(heatmark.ink(svg("line", { x1: at(row.low), x2: at(row.high), y1: y, y2: y, stroke: "currentColor", "stroke-width": 3, "stroke-linecap": "round", opacity: 0.45 }), row.method));
      mark.append(heatmark.shape(row.method, { transform: `translate(${at(row.rank) - 6} ${y - 6}) scale(1.2)` }));
      heatmark.tip(mark, row.words);
      return mark;
    });
    // What is not told apart from a method stays, all others fade, as long as it is pointed at or has the focus.
    if (groups.length) marks.forEach((mark, number) => {
      const mine = groups.filter(group => group.includes(number)), kept = new Set([number, ...mine.flat()]);
      const fade = faded => {
        marks.forEach((other, place) => other.classList.toggle("faded", faded && !kept.has(place)));
        bars.forEach((bar, place) => bar.classList.toggle("faded", faded && !mine.includes(groups[place])));
      };
      for (const event of ["pointerenter", "focus"]) mark.addEventListener(event, () => fade(true));
      for (const event of ["pointerleave", "blur"]) mark.addEventListener(event, () => fade(false));
    });
    drawing.append(...marks, ...bars);
    heatmark.figure(place, drawing, caption);
  };

  const interval = row => {
    const text = format.interval(row.low, row.high, format.decimals);
    return `${row.method.shown}: mean rank ${format.decimals(row.rank)}${text ? ` ${text}` : ""}`;
  };

  // The mean ranks of one table with their intervals; nothing where rows of several tables are shown.
  heatmark.drawRanks = (place, rows) => {
    const shown = rows.filter(row => row.rank !== null);
    place.hidden = shown.length < 2 || new Set(rows.map(row => row.s)).size !== 1;
    if (place.hidden) return;
    const lines = [...shown].sort((one, other) => one.rank - other.rank)
      .map(row => ({ ...row, words: `${interval(row)}${row.tie ? `, not told apart from places ${row.tie}` : ""}` }));
    heatmark.drawLines(place, lines, {
      label: `Mean ranks with 95 % intervals of ${shown.length} methods, best first`,
      caption: `Mean ranks on ${rows[0].setting.title}, 1 being best. Ranks are those of the whole table, whatever is filtered; lines are 95 % intervals over samples. Shaded: not told apart from the best.`,
    });
  };

  // The mean ranks across tasks, with a stroke for each block of tasks.
  heatmark.drawAcross = (place, { title, rows, blocks }) => {
    const known = rows.some(row => row.low !== null);
    heatmark.drawLines(place, rows.map(row => ({ ...row, words: `${interval(row)}\n${row.blocks.map((rank, number) => `${blocks[number]}: ${format.decimals(rank)}`).join("\n")}` })), {
      label: `Mean ranks across tasks of ${rows.length} methods, best first`,
      caption: `Mean ranks over ${title}, 1 being best, of the methods with a place in every task. Strokes: the blocks.${known ? " Lines: 95 % intervals from resampled blocks." : ""}${rows.some(row => row.leads) ? " Shaded: not told apart from the best." : ""}`,
    });
  };

  // Which methods of a table are told apart: the diagram of critical differences, a line for each method.
  heatmark.drawDifferences = (place, methods, ranks, groups, title) => {
    const names = number => [...new Set(groups.filter(group => group.includes(number)).flat())].filter(other => other !== number).map(other => methods[other].shown);
    const rows = methods.map((method, number) => {
      const others = names(number);
      return { method, rank: ranks[number], words: `${method.shown}: mean rank ${format.decimals(ranks[number])}\n${others.length ? `not told apart from ${others.join(", ")}` : "told apart from every other"}` };
    });
    heatmark.drawLines(place, rows, {
      groups, label: `Which of ${methods.length} methods are told apart`,
      caption: `Mean ranks on ${title}, 1 being best. A bar joins methods no two of which are told apart (Friedman's test, then signed-rank tests of all pairs with Holm's correction, level 0.05); a dot on it stands for each. Point at a method, or reach it with the Tab key, to see those alone that it is not told apart from.`,
    });
  };
})();
