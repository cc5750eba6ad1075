// The tables of a method's, a metric's and a task's page.
"use strict";

heatmark.load("board").then(async board => {
  const { make, format } = heatmark;
  const all = heatmark.rowsOf(board), fixed = heatmark.fixedColumns();
  const rowClass = row => [row.method.control && "control", row.place === null && "unplaced"].filter(Boolean).join(" ");
  const standing = document.getElementById("standing"), scores = document.getElementById("scores"), best = document.getElementById("best");

  // One column per table: the mean and rank of `value`'s row there.
  const settingColumn = (number, rowOf, metricOf) => {
    const setting = board.settings[number];
    const found = row => {
      const one = rowOf(row, number), place = one ? one.at(metricOf(row)) : -1;
      return place < 0 ? null : { mean: one.means[place], rank: one.ranks[place], low: one.lows[place], high: one.highs[place], best: one.best[place] === "1" };
    };
    return {
      key: setting.data, kind: "number", head: `${setting.name}, ${setting.framework}`,
      value: row => found(row)?.mean ?? null, text: row => format.number(found(row)?.mean),
      fill: (cell, row) => {
        const one = found(row);
        if (!one || one.mean === null) return void (cell.textContent = format.missing);
        cell.append(make("span", { class: one.best ? "mean best" : "mean" }, format.number(one.mean)));
        if (one.rank !== null) cell.append(make("span", { class: "rank" }, ` (${format.rank(one.rank)})`));
        cell.title = format.interval(one.low, one.high);
      },
    };
  };

  if (standing) {
    const number = Number(standing.dataset.method), mine = all.filter(row => row.m === number);
    const placeOf = { ...fixed.place, text: row => row.place === null ? format.missing : `${row.place} of ${all.filter(other => other.s === row.s && other.place !== null).length}` };
    const task = { ...fixed.task, header: true };
    heatmark.table(standing, { label: "Where it stands", rows: mine, columns: [task, fixed.framework, placeOf, fixed.rank, fixed.tie, fixed.cost, fixed.time, fixed.passes, fixed.coverage], rowClass });
    const metrics = [...new Set(mine.flatMap(row => row.setting.metrics))].sort((a, b) => a - b).map(metric => ({ metric }));
    const columns = mine.map(row => settingColumn(row.s, () => row, entry => entry.metric));
    heatmark.table(scores, {
      label: "What it scored", rows: metrics,
      columns: [
        { key: "metric", head: "metric", kind: "words", value: row => board.metrics[row.metric].id, text: row => board.metrics[row.metric].shown,
          fill: (cell, row) => cell.append(make("a", { href: `../metrics/${board.metrics[row.metric].slug}.html` }, `${board.metrics[row.metric].shown}\u00a0${board.metrics[row.metric].arrow}`)) },
        ...columns,
        { key: "audit", head: "audit", kind: "words", value: row => board.metrics[row.metric].trust, text: row => board.metrics[row.metric].trust || "not audited",
          fill: (cell, row) => {
            const { mark, trust, reasons } = board.metrics[row.metric];
            cell.classList.add("long");
            cell.append(`${mark} ${trust || "not audited"}${reasons.length ? `: ${reasons.join("; ")}` : ""}`.trim());
          } },
      ],
    });
  } else if (scores) {
    const metric = Number(scores.dataset.metric);
    const numbers = board.settings.map((setting, s) => s).filter(s => board.settings[s].metrics.includes(metric));
    const methods = [...new Set(all.filter(row => numbers.includes(row.s)).map(row => row.m))];
    const rows = methods.map(m => ({ method: board.methods[m], place: 0, of: new Map(all.filter(row => row.m === m).map(row => [row.s, row])) }));
    const columns = numbers.map(s => settingColumn(s, row => row.of.get(s), () => metric));
    const first = columns[0];
    heatmark.table(scores, {
      label: "What methods scored", rows, columns: [fixed.method, ...columns.map(column => ({ ...column, descending: board.metrics[metric].higher !== false }))],
      sort: first ? { key: first.key, descending: board.metrics[metric].higher !== false } : null, rowClass,
    });
  }

  if (best) {
    const mine = all.filter(row => row.setting.task === best.dataset.task);
    const frameworks = new Set(mine.map(row => row.s)).size > 1 ? [fixed.framework] : [];
    const shown = heatmark.sorted(mine.filter(row => row.leads), fixed.place, false);
    if (shown.length) heatmark.table(best, { label: "Its best methods", rows: shown, columns: [fixed.method, ...frameworks, fixed.place, fixed.rank, fixed.tie, fixed.cost], rowClass });
    else best.append(make("p", {}, "No method could be ranked."));
    await heatmark.drawSamples(board, best.dataset.task);
  }
  document.documentElement.dataset.ready = "yes";
}).catch(error => heatmark.failed(document.getElementById("main"), error));

// The samples of a task: what the network says of each, with the photographs that were kept.
heatmark.drawSamples = async (board, task) => {
  const { make, format } = heatmark;
  const { settings, pictures } = await heatmark.load(`samples/${task}`);
  const found = new Map();  // by sample; frameworks that say the same of one share its line
  const frameworks = board.settings.filter(one => one.task === task).map(one => one.framework);
  settings.forEach((local, number) => local.samples.forEach((sample, place) => {
    const row = { sample, label: local.label[place], target: local.target[place], predicted: local.predicted[place], probability: local.probability[place], frameworks: [frameworks[number]] };
    const lines = found.get(sample) ?? [], same = lines.find(one => ["label", "target", "predicted"].every(key => one[key] === row[key]) && Math.abs(one.probability - row.probability) < 0.001);
    if (same) same.frameworks.push(frameworks[number]); else found.set(sample, [...lines, row]);
  }));
  const rows = [...found.values()].flat(), differ = rows.some(row => row.frameworks.length < frameworks.length);
  const target = new Map(rows.map(row => [row.sample, row.target]));
  document.getElementById("pictures").replaceChildren(...Object.entries(pictures).map(([sample, path]) => make("li", {},
    make("img", { src: `../${path}`, alt: target.get(sample) || sample, loading: "lazy", width: 224, height: 224 }), make("b", {}, target.get(sample) || ""), make("small", {}, sample))));
  heatmark.table(document.getElementById("samples"), {
    label: "Samples", rows,
    columns: [
      { key: "sample", head: "sample", kind: "words", value: row => row.sample, text: row => row.sample },
      ...(differ ? [{ key: "framework", head: "framework", kind: "words", value: row => row.frameworks.join(" and "), text: row => row.frameworks.join(" and ") }] : []),
      { key: "label", head: "label", kind: "words", value: row => row.label, text: row => row.label || "not known" },
      { key: "predicted", head: "predicted", kind: "words", value: row => row.predicted, text: row => row.predicted },
      { key: "target", head: "explained", kind: "words", value: row => row.target, text: row => row.target },
      { key: "probability", head: "its probability", kind: "number", value: row => row.probability, text: row => format.percent(row.probability) },
    ],
  });
};
