// What the overview shows: which rows and columns a choice of filters leaves. Nothing here ranks: filters hide.
"use strict";

heatmark.view = (() => {
  const MOST_METRICS = 10;  // so many metric columns are shown until the reader chooses
  const FILTERS = ["model", "dataset", "framework", "device", "family", "row", "metric", "trust"];
  const TRUST = {
    passed: { words: "passed every question", holds: metric => metric.mark === "✓" },
    partly: { words: "passed on some data at least", holds: metric => metric.mark === "✓" || metric.mark === "~" },
    audited: { words: "audited", holds: metric => metric.mark !== "" },
  };

  // How far a row can be trusted that somebody submitted; rows that nobody did are heatmark's or the reader's own.
  const LEVELS = ["reported", "validated", "reproduced"];
  const SUBMITTED = {
    validated: { words: "validated at least, if submitted", holds: word => !word || LEVELS.indexOf(word) >= 1 },
    reproduced: { words: "reproduced, if submitted", holds: word => !word || word === "reproduced" },
    own: { words: "not submitted", holds: word => !word },
    submitted: { words: "submitted", holds: word => Boolean(word) },
  };

  // With several tables the first is shown at first: ranks belong to one table.
  const defaults = board => {
    const { model, dataset, framework } = board.settings.length > 1 ? board.settings[0] : { model: "", dataset: "", framework: "" };
    return { model, dataset, framework, device: "", family: "", row: "", metric: "", trust: "", q: "", complete: "", intervals: "", columns: "", sort: "", down: "" };
  };

  const of = (board, parts) => {
    const view = defaults(board);
    for (const key of Object.keys(view)) if (key in parts) view[key] = parts[key];
    return view;
  };
  const parts = (board, view) => {
    const usual = defaults(board);
    return Object.fromEntries(Object.entries(view).filter(([key, value]) => value !== usual[key]));
  };

  const matches = (view, setting) => ["model", "dataset", "framework", "device"].every(key => !view[key] || setting[key] === view[key]);
  const found = (words, method) => {
    const text = `${method.id} ${method.shown} ${method.family}`.toLowerCase();
    return words.toLowerCase().split(/\s+/).every(word => text.includes(word));
  };

  const rows = (all, view) => all.filter(row => matches(view, row.setting)
    && (!view.family || row.method.family === view.family)
    && (!view.row || (SUBMITTED[view.row]?.holds(row.trust) ?? true))
    && (!view.complete || row.complete)
    && found(view.q, row.method));

  // The metrics that stand in the settings shown, as the metric and trust filters leave them.
  const metrics = (board, view) => {
    const there = new Set(board.settings.filter(setting => matches(view, setting)).flatMap(setting => setting.metrics));
    const wanted = view.metric.startsWith("family:")
      ? metric => metric.family === view.metric.slice(7)
      : metric => !view.metric || metric.slug === view.metric;
    return board.metrics.map((metric, number) => number).filter(number => there.has(number)
      && wanted(board.metrics[number]) && (!view.trust || (TRUST[view.trust]?.holds(board.metrics[number]) ?? true)));
  };

  // The columns on offer, each with whether it is shown.
  const columns = (board, view) => {
    const settings = board.settings.filter(setting => matches(view, setting));
    const intervals = () => view.intervals === "1";
    const fixed = heatmark.fixedColumns(intervals);
    const differ = key => new Set(settings.map(setting => setting[key])).size > 1;
    const offered = metrics(board, view).map(number => heatmark.metricColumn(board, number, intervals));
    const usual = new Set(["place", "rank", "tie", "cost", "coverage", ...offered.slice(0, MOST_METRICS).map(column => column.key)]);
    if (differ("task")) usual.add("task");
    if (differ("framework")) usual.add("framework");
    if (view.metric) offered.forEach(column => usual.add(column.key));
    const chosen = view.columns ? new Set(view.columns.split(",")) : usual;
    const every = [fixed.method, fixed.place, fixed.task, fixed.framework, fixed.family, ...(board.rows.some(row => row.trust) ? [fixed.trust] : []), fixed.rank, fixed.tie, ...offered, fixed.cost, fixed.time, fixed.passes, fixed.coverage];
    return every.map(column => ({ column, shown: column.key === "method" || chosen.has(column.key), usual: column.key === "method" || usual.has(column.key) }));
  };

  const options = (board, key) => {
    if (key === "family") return [...new Set(board.methods.map(method => method.family).filter(Boolean))];
    return [...new Set(board.settings.map(setting => setting[key]).filter(Boolean))];
  };

  return { FILTERS, TRUST, SUBMITTED, of, parts, rows, metrics, columns, options };
})();
