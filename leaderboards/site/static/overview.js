// The overview: filters, column picker, search, CSV, and the address that keeps the view.
"use strict";

heatmark.load("board").then(board => {
  const { make, view: views } = heatmark;
  const all = heatmark.rowsOf(board);
  const place = document.getElementById("board"), form = document.getElementById("filters");
  const picker = document.getElementById("picker"), count = document.getElementById("count");
  let view = views.of(board, heatmark.address()), seen = null;

  const change = parts => {
    view = { ...view, ...parts };
    heatmark.setAddress(views.parts(board, view));
    draw();
  };

  const WORDS = { model: "Model", dataset: "Dataset", framework: "Framework", device: "Device", family: "Family", row: "Trust", metric: "Metric", trust: "Audit of metrics" };
  const option = (value, words) => make("option", { value }, words);

  const choices = key => {
    if (key === "trust") {
      return board.metrics.some(metric => metric.mark) ? [option("", "any metric"), ...Object.entries(views.TRUST).map(([value, { words }]) => option(value, words))] : [];
    }
    if (key === "row") {
      return board.rows.some(row => row.trust) ? [option("", "any row"), ...Object.entries(views.SUBMITTED).map(([value, { words }]) => option(value, words))] : [];
    }
    if (key === "metric") {
      const families = [...new Set(board.metrics.map(metric => metric.family))];
      const groups = families.map(family => make("optgroup", { label: family || "other" },
        ...(families.length > 1 ? [option(`family:${family}`, `every one of ${family || "other"}`)] : []),
        ...board.metrics.filter(metric => metric.family === family).map(metric => option(metric.slug, metric.shown))));
      return board.metrics.length > 1 ? [option("", "all metrics"), ...groups] : [];
    }
    const found = views.options(board, key);
    return found.length > 1 ? [option("", "all"), ...found.map(value => option(value, value))] : [];
  };

  // A choice of one is no choice, and no control.
  const selects = new Map();
  for (const key of views.FILTERS) {
    const offered = choices(key);
    if (!offered.length) continue;
    const select = make("select", { name: key }, ...offered);
    select.addEventListener("change", () => change({ [key]: select.value }));
    form.insertBefore(make("label", {}, make("span", {}, WORDS[key]), select), form.querySelector(".actions"));
    selects.set(key, select);
  }
  const search = form.elements.q;
  search.addEventListener("input", () => change({ q: search.value }));
  form.addEventListener("submit", event => event.preventDefault());
  for (const name of ["complete", "intervals"]) {
    form.elements[name].addEventListener("change", event => change({ [name]: event.target.checked ? "1" : "" }));
  }
  document.getElementById("reset").addEventListener("click", () => {
    view = views.of(board, {});
    change({});
  });
  document.getElementById("csv").addEventListener("click", () => heatmark.download("heatmark-view.csv", heatmark.csv(seen), "text/csv"));

  const drawPicker = offered => {
    const boxes = offered.filter(({ column }) => column.key !== "method").map(({ column, shown }) => {
      const box = make("input", { type: "checkbox", value: column.key, checked: shown });
      box.addEventListener("change", () => {
        const kept = [...picker.querySelectorAll("input")].filter(one => one.checked).map(one => one.value);
        change({ columns: kept.join(",") || "none" });
        picker.querySelector(`input[value="${CSS.escape(column.key)}"]`)?.focus();
      });
      return make("label", {}, box, column.head);
    });
    picker.replaceChildren(...boxes);
  };

  const draw = () => {
    for (const [key, select] of selects) select.value = view[key];
    if (search.value !== view.q) search.value = view.q;
    form.elements.complete.checked = view.complete === "1";
    form.elements.intervals.checked = view.intervals === "1";
    const rows = views.rows(all, view), offered = views.columns(board, view);
    drawPicker(offered);
    const columns = offered.filter(one => one.shown).map(one => one.column);
    const hidden = offered.filter(one => !one.shown && one.column.metric !== undefined).length;
    const settings = new Set(rows.map(row => row.s)).size;
    count.textContent = `${rows.length} of ${all.length} rows${settings > 1 ? ` from ${settings} tables, each with ranks of its own` : ""}${hidden ? `; ${hidden} metrics are hidden (Columns)` : ""}`;
    seen = heatmark.table(place, {
      columns, rows, label: "Leaderboard", id: "leaderboard",
      sort: view.sort ? { key: view.sort, descending: view.down === "1" } : null,
      onSort: ({ key, descending }) => change({ sort: key, down: descending ? "1" : "" }),
      rowClass: row => [row.method.control && "control", row.place === null && "unplaced"].filter(Boolean).join(" "),
    });
    heatmark.drawRanks(document.getElementById("ranks"), rows);
    document.documentElement.dataset.ready = "yes";
  };

  addEventListener("hashchange", () => {
    view = views.of(board, heatmark.address());
    draw();
  });
  const across = document.getElementById("across");
  if (across) heatmark.load("across").then(found => heatmark.drawAcross(across, found));
  draw();
  performance.mark("first-view");
}).catch(error => heatmark.failed(document.getElementById("board"), error));
