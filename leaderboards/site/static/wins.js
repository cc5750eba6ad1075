// Who wins against whom: the share of samples on which the row's method beats the column's, ties counting half.
"use strict";

heatmark.load("board").then(board => {
  const { make, format } = heatmark;
  const LEVEL = 0.05;  // as in leaderboards/statistics/significance.py
  const place = document.getElementById("matrix"), form = document.getElementById("choices");

  const draw = async (data, metric) => {
    const found = await heatmark.load(metric ? `wins/${data}/${metric}` : `wins/${data}`);
    const methods = found.methods.map(m => board.methods[m]), count = methods.length;
    const share = heatmark.doubles(found.share), p = heatmark.doubles(found.p);
    const at = (row, column) => row * count - row * (row + 1) / 2 + column - row - 1;
    const heads = methods.map((method, number) => make("th", { scope: "col", title: method.shown }, String(number + 1)));
    const rows = methods.map((method, row) => {
      const cells = methods.map((other, column) => {
        if (row === column) return make("td", { class: "itself" });
        const one = at(Math.min(row, column), Math.max(row, column));
        const won = row < column ? share[one] : 1 - share[one], told = p[one] <= LEVEL;
        const address = new URLSearchParams({ task: data, a: method.slug, b: other.slug, ...(metric ? { metric } : {}) });
        const words = `${method.shown} beats ${other.shown} on ${format.percent(won)} of the samples (p = ${format.p(p[one])} after Holm)`;
        const cell = make("td", { class: told ? "told" : "" }, make("a", { href: `compare.html#${address}`, title: words, "aria-label": words }, format.wholePercent(won)));
        // The further from one half, the stronger; blue wins, orange loses, and what is not told apart stays pale.
        const strength = Math.round(Math.abs(won - 0.5) * (told ? 90 : 24));
        cell.style.background = `color-mix(in srgb, ${won >= 0.5 ? "var(--winning)" : "var(--losing)"} ${strength}%, transparent)`;
        return cell;
      });
      const name = make("th", { scope: "row", class: "words" });
      heatmark.methodCell(name, method);
      return make("tr", { class: method.control ? "control" : "" }, name, make("th", { scope: "row", class: "count" }, String(row + 1)), ...cells);
    });
    const label = "Share of samples won, in percent";
    place.replaceChildren(make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
      make("table", { class: "matrix" }, make("caption", { class: "unseen" }, label), make("thead", {}, make("tr", {}, make("td"), make("td"), ...heads)), make("tbody", {}, ...rows))));
    const apart = document.getElementById("apart"), why = document.getElementById("why"), figure = document.getElementById("differences");
    apart.hidden = metric !== "";  // the diagram is of mean ranks
    if (apart.hidden) return;
    why.textContent = found.why ?? "";
    figure.hidden = Boolean(found.why);
    if (!found.why) heatmark.drawDifferences(figure, methods, heatmark.doubles(found.ranks), found.groups, board.settings.find(one => one.data === data).title);
  };
  return heatmark.choose(board, form, JSON.parse(form.dataset.offered), draw, place)();
}).catch(error => heatmark.failed(document.getElementById("matrix"), error));
