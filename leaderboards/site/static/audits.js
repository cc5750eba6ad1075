// What the audit found: every metric's answer to every question, and which metrics put maps in the same order.
"use strict";

Promise.all([heatmark.load("board"), heatmark.load("audits")]).then(([board, audits]) => {
  const { make, format } = heatmark;
  const form = document.getElementById("choices"), place = document.getElementById("checks"), agreement = document.getElementById("agreement");
  const SIGNS = { yes: "✓", partly: "~", no: "✗", "": "" };
  const WORDS = { yes: "passed on all data", partly: "passed on some data", no: "not passed on any data", "": "not asked, or no value" };
  const graded = passed => passed === null ? "" : passed ? "yes" : "no";

  // The answer to a question: over all data, or on one data set.
  const answer = (metric, number, data) => {
    if (data === "") return { grade: metric.grades[number], text: metric.texts[number], words: WORDS[metric.grades[number]] };
    const found = metric.on[data]?.[number];
    if (!found) return { grade: "", text: format.missing, words: "not audited on this data" };
    const grade = graded(found[0]);
    return { grade, text: found[1], words: { yes: "passed", no: "not passed", "": "not asked, or no value" }[grade] };
  };
  const everywhere = (metric, number) => Object.entries(metric.on).map(([data, checks]) => `${audits.datasets[data]}: ${SIGNS[graded(checks[number][0])]} ${checks[number][1]}`).join("\n");

  const draw = () => {
    const wanted = heatmark.address().data ?? "", data = audits.datasets.indexOf(wanted) < 0 ? "" : audits.datasets.indexOf(wanted);
    form.elements.data.value = data === "" ? "" : wanted;
    const rows = audits.metrics.filter(metric => data === "" || metric.on[data]).map(metric => ({ ...metric, metric: board.metrics[metric.m] }));
    const ORDER = { yes: 3, partly: 2, no: 1, "": 0 };
    heatmark.table(place, {
      label: "Every metric's answers", rows, id: "audit-table",
      columns: [
        { key: "metric", head: "metric", kind: "words", value: row => row.metric.id, text: row => row.metric.shown,
          fill: (cell, row) => cell.append(make("a", { href: `metrics/${row.metric.slug}.html` }, `${row.metric.shown}\u00a0${row.metric.arrow}\u00a0${row.metric.mark}`.trim())) },
        ...audits.questions.map((question, number) => ({
          key: question, head: question, kind: "words", descending: true, value: row => ORDER[answer(row, number, data).grade] || null,
          text: row => answer(row, number, data).text,
          fill: (cell, row) => {
            const { grade, text, words } = answer(row, number, data);
            cell.dataset.grade = grade || "none";
            cell.title = `${row.metric.shown}, ${question}: ${words}\n${everywhere(row, number)}`;
            cell.append(make("span", { "aria-hidden": "true" }, SIGNS[grade] ? `${SIGNS[grade]} ` : ""), make("span", { class: "unseen" }, `${words}: `), text);
          },
        })),
        { key: "family", head: "family", kind: "words", value: row => row.metric.family, text: row => row.metric.family || format.missing },
      ],
    });
    document.documentElement.dataset.ready = "yes";
  };

  const drawAgreement = ({ metrics, datasets, tau }) => {
    const members = metrics.map(m => board.metrics[m]), count = members.length, values = heatmark.floats(tau);
    const at = (row, column) => row * count - row * (row + 1) / 2 + column - row - 1;
    const short = value => value.toFixed(1).replace(/^(-?)0\./, "$1.").replace(/^-\.0$/, ".0");
    const rows = members.map((metric, row) => make("tr", {},
      make("th", { scope: "row", class: "words" }, make("a", { href: `metrics/${metric.slug}.html` }, metric.shown)), make("th", { scope: "row", class: "count" }, String(row + 1)),
      ...members.map((other, column) => {
        if (row === column) return make("td", { class: "itself" });
        const value = values[at(Math.min(row, column), Math.max(row, column))], known = Number.isFinite(value);
        const cell = make("td", { class: "share", title: `${metric.shown} and ${other.shown}: ${known ? `tau ${format.decimals(value)}` : "no value"}` }, known ? short(value) : format.missing);
        if (known) cell.style.background = `color-mix(in srgb, ${value >= 0 ? "var(--winning)" : "var(--losing)"} ${Math.round(Math.abs(value) * 45)}%, transparent)`;
        return cell;
      })));
    const heads = members.map((metric, number) => make("th", { scope: "col", title: metric.shown }, String(number + 1))), label = "Kendall's tau of every two metrics";
    agreement.replaceChildren(
      make("p", { class: "note" }, `Mean over ${datasets.join(", ")}. Blue: the two metrics put the maps of all methods, controls and the oracle in the same order (Kendall's tau 1); orange: in the reverse order (-1); pale: unrelated. Metrics that agree stand side by side.`),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
        make("table", { class: "matrix" }, make("caption", { class: "unseen" }, label), make("thead", {}, make("tr", {}, make("td"), make("td"), ...heads)), make("tbody", {}, ...rows))));
  };

  const options = [make("option", { value: "" }, "all data"), ...audits.datasets.map(name => make("option", { value: name }, name))];
  form.append(make("label", {}, make("span", {}, "Data"), make("select", { name: "data" }, ...options)));
  form.addEventListener("change", event => { heatmark.setAddress(event.target.value ? { data: event.target.value } : {}); draw(); });
  form.addEventListener("submit", event => event.preventDefault());
  addEventListener("hashchange", draw);
  if (audits.without.length) document.getElementById("without").textContent = `Not audited at the protocol that stands here: ${audits.without.map(m => board.metrics[m].shown).join(", ")}.`;
  if (audits.agreement) drawAgreement(audits.agreement); else document.getElementById("agreeing").hidden = true;
  draw();
}).catch(error => heatmark.failed(document.getElementById("checks"), error));
