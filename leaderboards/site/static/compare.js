// The compare page: two methods of one table, on one metric in full and on every metric in a line each.
"use strict";

Promise.all([heatmark.load("board"), heatmark.load("student")]).then(([board, { quantiles }]) => {
  const { make, format, statistics } = heatmark;
  const student = heatmark.doubles(quantiles);
  const form = document.getElementById("choices"), lead = document.getElementById("lead"), numbers = document.getElementById("numbers");
  const PICTURES = 8;
  let drawing = 0;

  const scoresOf = async (setting, metric) => {
    const { methods, values } = await heatmark.load(`scores/${setting.data}/${board.metrics[metric].slug}`);
    const every = heatmark.doubles(values), samples = setting.samples;
    return method => { const place = methods.indexOf(method); return every.subarray(place * samples, (place + 1) * samples); };
  };

  // What the address or the controls say, mended where it says nothing that is there.
  const chosen = () => {
    const parts = heatmark.address();
    const setting = board.settings.find(one => one.data === parts.task) ?? board.settings[0];
    const s = board.settings.indexOf(setting);
    const rows = board.rows.filter(row => row.s === s);
    const there = rows.map(row => row.m);
    const named = (slug, usual) => there.find(m => board.methods[m].slug === slug) ?? usual;
    const contenders = rows.filter(row => !board.methods[row.m].control).map(row => row.m);
    const a = named(parts.a, contenders[0] ?? there[0]);
    const b = named(parts.b, contenders.find(m => m !== a) ?? there.find(m => m !== a) ?? a);
    const metric = setting.metrics.find(number => board.metrics[number].slug === parts.metric) ?? setting.metrics[0];
    return { setting, s, there, a, b, metric };
  };

  const select = (name, words, options, value) => {
    const control = make("select", { name }, ...options);
    control.value = value;
    return make("label", {}, make("span", {}, words), control);
  };
  const methodOptions = there => {
    const families = [...new Set(there.map(m => board.methods[m].family))];
    return families.map(family => make("optgroup", { label: family || "other" },
      ...there.filter(m => board.methods[m].family === family).map(m => make("option", { value: board.methods[m].slug }, board.methods[m].shown))));
  };

  const drawControls = ({ setting, there, a, b, metric }) => {
    const controls = [];
    if (board.settings.length > 1) controls.push(select("task", "Task", board.settings.map(one => make("option", { value: one.data }, one.title)), setting.data));
    controls.push(select("a", "First method", methodOptions(there), board.methods[a].slug), select("b", "Second method", methodOptions(there), board.methods[b].slug));
    controls.push(select("metric", "Metric", setting.metrics.map(number => make("option", { value: board.metrics[number].slug }, board.metrics[number].shown)), board.metrics[metric].slug));
    const swap = make("button", { type: "button", id: "swap" }, "Swap");
    swap.addEventListener("click", () => go({ a: board.methods[b].slug, b: board.methods[a].slug }));
    form.replaceChildren(...controls, swap);
  };
  const go = parts => {
    const focused = document.activeElement?.name;
    const { setting, a, b, metric } = chosen();
    heatmark.setAddress({ task: setting.data, a: board.methods[a].slug, b: board.methods[b].slug, metric: board.metrics[metric].slug, ...parts });
    draw();
    if (focused) form.elements[focused]?.focus();
  };
  form.addEventListener("change", event => go({ [event.target.name]: event.target.value }));
  form.addEventListener("submit", event => event.preventDefault());

  // The outcome in one sentence, as `heatmark compare` has it.
  const verdict = (found, metric, first, second) => {
    const by = found.samples > 1 ? `: first minus second is ${format.signed(found.mean)} ${format.interval(found.low, found.high)} on average` : "";
    if (!found.samples) return "No sample has a score of both.";
    return {
      same: `${first} and ${second} have the same scores on ${metric.shown}.`,
      "not told apart": `${first} and ${second} are not told apart on ${metric.shown}: they differ by ${format.signed(found.mean)} ${format.interval(found.low, found.high)} on average.`,
      differs: `${first} and ${second} differ on ${metric.shown}${by}.`,
      first: `${first} is better than ${second} on ${metric.shown}${by}.`,
      second: `${second} is better than ${first} on ${metric.shown}${by}.`,
    }[found.outcome];
  };

  const fact = (words, value, small = "") => make("div", {}, make("dt", {}, words), make("dd", {}, value, ...(small ? [make("small", {}, small)] : [])));

  const drawNumbers = (found, metric) => {
    numbers.dataset.values = JSON.stringify({ ...found, metric: metric.id });
    const known = found.wins !== null;
    numbers.replaceChildren(
      fact("first minus second, mean", format.signed(found.mean), `95 % interval ${format.interval(found.low, found.high) || format.missing}${metric.unit ? `, in ${metric.unit}` : ""}`),
      ...(known ? [fact("first better", `${found.wins} of ${found.samples}`, `${found.ties} equal, ${found.losses} worse`)] : []),
      fact("signed-rank p", format.p(found.p), `${format.p(found.p_holm)} after Holm over the metrics`),
      fact("better", { true: "higher", false: "lower" }[metric.higher] ?? "not known", metric.trust ? `audit: ${metric.trust}` : "not audited"),
    );
  };

  const difference = { key: "difference", head: "first − second", kind: "number", value: row => row.difference, text: row => format.signed(row.difference) };

  const WORDS = { first: "first", second: "second", differs: "differ", same: "the same", "not told apart": "not told apart", "no sample": "no sample" };

  const drawEvery = rows => heatmark.table(document.getElementById("every"), {
    label: "Both methods on every metric", rows,
    columns: [
      { key: "metric", head: "metric", kind: "words", value: row => row.metric.id, text: row => row.metric.shown,
        fill: (cell, row) => cell.append(make("a", { href: `metrics/${row.metric.slug}.html` }, `${row.metric.shown}\u00a0${row.metric.arrow}\u00a0${row.metric.mark}`.trim())) },
      { key: "better", head: "better", kind: "words", value: row => WORDS[row.outcome], text: row => WORDS[row.outcome] },
      { key: "mean", head: "first − second", kind: "number", value: row => row.mean, text: row => format.signed(row.mean) },
      { key: "interval", head: "95 % interval", kind: "number", value: row => row.low, text: row => format.interval(row.low, row.high) },
      { key: "wins", head: "won / equal / lost", kind: "number", value: row => row.wins, text: row => row.wins === null ? format.missing : `${row.wins} / ${row.ties} / ${row.losses}`, title: "samples on which the first is better, equal, worse" },
      { key: "p", head: "p", kind: "number", value: row => row.p_holm, text: row => format.p(row.p_holm), title: "signed-rank test, Holm's correction over the metrics" },
    ],
  });

  const drawPictures = (choice, rows, samples) => {
    const place = document.getElementById("pictures");
    const { setting, a, b, metric } = choice;
    const local = samples.settings[board.settings.filter(one => one.task === setting.task).indexOf(setting)];
    const kept = row => samples.pictures[row.sample] ?? local.heatmaps[row.sample];
    const ordered = heatmark.sorted(rows, { value: row => Math.abs(row.difference) }, true);
    const differing = ordered.filter(row => row.difference !== 0), largest = differing.filter(kept).slice(0, PICTURES);
    const picture = (path, words) => make("img", { src: path, alt: words, loading: "lazy", width: 224, height: 224 });
    const items = largest.map(row => {
      const photograph = samples.pictures[row.sample], maps = local.heatmaps[row.sample] ?? {};
      const shown = [photograph && picture(photograph, `${row.target} (${row.sample})`), ...[a, b].map(m => maps[m] && picture(maps[m], `Heatmap of ${board.methods[m].shown}: ${row.target}`))].filter(Boolean);
      return make("li", {}, make("div", { class: "beside" }, ...shown), make("b", {}, row.target || row.sample),
        make("small", {}, `${format.number(row.first)} and ${format.number(row.second)}: ${format.signed(row.difference)}`), make("small", {}, row.sample));
    });
    place.replaceChildren(...items);
    const pictured = rows.filter(kept).length;
    const some = pictured < rows.length ? ` Pictures of ${pictured} of ${rows.length} samples are kept, and only these stand here; the table below has all.` : "";
    const none = differing.length ? "No pictures of these samples are kept. The table below begins with those on which the two differ most." : "No sample has different scores.";
    document.getElementById("pictures-note").textContent = items.length
      ? `By ${board.metrics[metric].shown}: the sample, then the heatmaps of ${board.methods[a].shown} and ${board.methods[b].shown} where they are kept.${some}`
      : none;
    heatmark.table(document.getElementById("samples"), {
      label: "Every sample", rows: ordered, sort: null,
      columns: [
        { key: "sample", head: "sample", kind: "words", value: row => row.sample, text: row => row.sample },
        { key: "target", head: "explained class", kind: "words", value: row => row.target, text: row => row.target },
        { key: "first", head: "first", kind: "number", value: row => row.first, text: row => format.number(row.first) },
        { key: "second", head: "second", kind: "number", value: row => row.second, text: row => format.number(row.second) },
        { ...difference, descending: true },
      ],
    });
  };

  const draw = async () => {
    const choice = chosen(), number = drawing += 1;
    const { setting, a, b, metric } = choice;
    drawControls(choice);
    const [samples, ...scores] = await Promise.all([heatmark.load(`samples/${setting.task}`), ...setting.metrics.map(one => scoresOf(setting, one))]);
    if (number !== drawing) return;  // something else was chosen meanwhile
    const pairs = scores.map((of, place) => ({ first: of(a), second: of(b), higher: board.metrics[setting.metrics[place]].higher }));
    const every = statistics.compared(pairs, student).map((one, place) => ({ ...one, metric: board.metrics[setting.metrics[place]] }));
    const place = setting.metrics.indexOf(metric), { first, second } = pairs[place], found = every[place], one = board.metrics[metric];
    lead.textContent = verdict(found, one, board.methods[a].shown, board.methods[b].shown);
    drawNumbers(found, one);
    const local = samples.settings[board.settings.filter(other => other.task === setting.task).indexOf(setting)];
    const rows = local.samples.map((sample, place) => ({ sample, target: local.target[place], first: first[place], second: second[place], difference: first[place] - second[place] }))
      .filter(row => Number.isFinite(row.difference));
    heatmark.scatter(document.getElementById("scatter"), rows, { metric: one, first: board.methods[a], second: board.methods[b] });
    drawPictures(choice, rows, samples);
    drawEvery(every);
    document.documentElement.dataset.ready = `${number}`;
  };
  const failed = error => heatmark.failed(lead, error);
  addEventListener("hashchange", () => draw().catch(failed));
  return draw().catch(failed);
}).catch(error => heatmark.failed(document.getElementById("lead"), error));
