// The columns of the board's tables: what stands beside a method in a setting.
"use strict";

(() => {
  const { make, format } = heatmark;

  // Join a row with its method and setting; `at` finds a metric's place among the setting's.
  heatmark.rowsOf = board => board.rows.map(row => {
    const setting = board.settings[row.s];
    return { ...row, setting, method: board.methods[row.m], at: metric => setting.metrics.indexOf(metric) };
  });

  // Return a name with places where a narrow column may break it, which copying and searching do not see.
  heatmark.breakable = text => text.split(/(?<=[_,=])|(?=\[)/).flatMap((part, number) => number ? [make("wbr"), part] : [part]);

  heatmark.methodCell = (cell, method, why = "", row = {}) => {
    const link = make("a", { href: `${heatmark.root}methods/${method.slug}.html` }, ...heatmark.breakable(method.shown));
    const tag = method.control ? [make("span", { class: "tag", title: "A floor or ceiling of the table, not a contender." }, "control")] : [];
    cell.append(make("span", { class: "named" }, heatmark.marker(method), link, ...tag));
    if (row.trust) cell.append(make("small", { title: row.said }, row.trust));
    if (why) cell.append(make("small", {}, `not ranked: ${why}`));
  };

  const value = (row, list, metric) => { const place = row.at(metric); return place < 0 ? null : row[list][place]; };

  heatmark.metricColumn = (board, number, intervals = () => false) => {
    const metric = board.metrics[number];
    return {
      key: metric.slug, csv: metric.id, metric: number, kind: "number", descending: metric.higher !== false,
      head: `${metric.shown} ${metric.arrow}${metric.mark ? `\u00a0${metric.mark}` : ""}`,
      title: [metric.summary, metric.trust && `audit: ${metric.trust}`, ...metric.reasons].filter(Boolean).join("; "),
      value: row => value(row, "means", number),
      text: row => format.number(value(row, "means", number)),
      more: row => ({ low: value(row, "lows", number), high: value(row, "highs", number), rank: value(row, "ranks", number) }),
      fill: (cell, row) => {
        const place = row.at(number);
        if (place < 0 || row.means[place] === null) return void (cell.textContent = format.missing);
        const interval = format.interval(row.lows[place], row.highs[place]);
        cell.append(make("span", { class: row.best[place] === "1" ? "mean best" : "mean" }, format.number(row.means[place])));
        if (row.ranks[place] !== null) cell.append(make("span", { class: "rank" }, ` (${format.rank(row.ranks[place])})`));
        cell.title = `${metric.shown}: ${format.number(row.means[place])} ${interval}`;
        if (intervals() && interval) cell.append(make("span", { class: "interval" }, interval));
      },
    };
  };

  heatmark.fixedColumns = (intervals = () => false) => {
    const rank = {
      key: "rank", csv: "mean_rank", head: "mean rank", title: "The mean over metrics of the method's ranks, 1 being best", kind: "number",
      value: row => row.rank, text: row => format.decimals(row.rank), more: row => ({ low: row.low, high: row.high }),
      fill: (cell, row) => {
        cell.append(make("span", { class: row.leads ? "mean best" : "mean" }, format.decimals(row.rank)));
        const interval = format.interval(row.low, row.high, format.decimals);
        cell.title = interval ? `95 % interval ${interval}` : "";
        if (intervals() && interval) cell.append(make("span", { class: "interval" }, interval));
      },
    };
    return {
      place: { key: "place", head: "#", title: "Place by mean rank", kind: "number", value: row => row.place, text: row => row.placeText },
      method: {
        key: "method", head: "method", kind: "words", header: true, value: row => row.method.id, text: row => row.method.shown,
        fill: (cell, row) => heatmark.methodCell(cell, row.method, row.why, row),
      },
      task: {
        key: "task", head: "task", kind: "words", value: row => row.setting.name, text: row => row.setting.name,
        fill: (cell, row) => cell.append(make("a", { href: `${heatmark.root}tasks/${row.setting.task}.html` }, row.setting.name)),
      },
      framework: { key: "framework", head: "framework", kind: "words", value: row => row.setting.framework, text: row => row.setting.framework },
      family: { key: "family", head: "family", kind: "words", value: row => row.method.family, text: row => row.method.family || format.missing },
      trust: {
        key: "trust", head: "trust", kind: "words", title: "How far the numbers of a submitted row can be trusted: reported, validated, reproduced",
        value: row => row.trust ?? "", text: row => row.trust ?? format.missing,
        fill: (cell, row) => { cell.textContent = row.trust ?? format.missing; cell.title = row.said ?? "nobody submitted it"; },
      },
      rank,
      tie: {
        key: "tie", head: "tie", title: "The places from which the method cannot be told apart, its own among them", kind: "words",
        value: row => row.tie, text: row => row.tie,
      },
      cost: { key: "cost", csv: "relative_cost", head: "cost", title: "Time per image in bare forward passes of the network", kind: "number", value: row => row.relative, text: row => row.cost },
      time: { key: "time", csv: "seconds_per_image", head: "time", title: "Median time of explaining one image", kind: "number", value: row => row.seconds, text: row => row.time },
      passes: { key: "passes", head: "passes", title: "Forward and backward passes per image, counted exactly", kind: "number", value: row => row.passed, text: row => row.passes },
      coverage: { key: "coverage", head: "samples", title: "Samples there of samples expected", kind: "number", value: row => row.covered, text: row => row.coverage + (row.degenerate ? `, ${row.degenerate} degenerate` : "") },
    };
  };
})();
