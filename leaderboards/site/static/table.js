// Tables that sort. A column has
//   key, head, title     its name in addresses, its words, and a longer form of them
//   kind                 "words" or "number"
//   value(row)           what it sorts by and what CSV holds: a number, a text, or null where there is none
//   text(row)            what is seen
//   fill(cell, row)      optional: draws the cell instead of `text`
//   descending           whether the first click puts the largest value first
//   more(row)            optional: further CSV columns as {ending: value}
"use strict";

(() => {
  const { make } = heatmark;
  const ROWS_AT_ONCE = 120;

  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en");

  // Return rows in the order of a column; what has no value comes last, whichever way.
  heatmark.sorted = (rows, column, descending) => {
    const none = value => value === null || value === undefined || value === "";
    return rows.map((row, place) => [column.value(row), place, row]).sort(([a, one], [b, other]) => {
      if (none(a) || none(b)) return none(a) - none(b) || one - other;
      return (descending ? compare(b, a) : compare(a, b)) || one - other;
    }).map(entry => entry[2]);
  };

  // Draw a table into `place`. Returns { columns, rows } as they are seen.
  heatmark.table = (place, { columns, rows, label, sort = null, onSort = null, rowClass = () => "", id = "" }) => {
    const chosen = sort && columns.find(column => column.key === sort.key);
    const ordered = chosen ? heatmark.sorted(rows, chosen, sort.descending) : rows;
    const again = wanted => heatmark.table(place, { columns, rows, label, sort: wanted, onSort, rowClass, id });
    const heads = columns.map(column => {
      const direction = chosen === column ? (sort.descending ? "descending" : "ascending") : null;
      const button = make("button", { type: "button", title: column.title ?? "" }, ...heatmark.breakable(column.head));
      button.addEventListener("click", () => {
        const descending = chosen === column ? !sort.descending : Boolean(column.descending);
        (onSort ?? again)({ key: column.key, descending });
        place.querySelector(`th[data-key="${CSS.escape(column.key)}"] button`)?.focus();
      });
      return make("th", { scope: "col", class: column.kind, "data-key": column.key, "aria-sort": direction }, button);
    });
    const body = make("tbody");
    const line = row => {
      const cells = columns.map((column, number) => {
        const cell = make(number === 0 || column.header ? "th" : "td", { class: column.kind, scope: number === 0 || column.header ? "row" : null });
        if (column.fill) column.fill(cell, row); else cell.textContent = column.text(row);
        return cell;
      });
      return make("tr", { class: rowClass(row) }, ...cells);
    };
    const token = place.token = {};
    const fill = from => {
      if (place.token !== token) return;  // drawn anew meanwhile
      body.append(...ordered.slice(from, from + ROWS_AT_ONCE).map(line));
      if (from + ROWS_AT_ONCE < ordered.length) requestAnimationFrame(() => fill(from + ROWS_AT_ONCE));
      else place.dataset.drawn = ordered.length;
    };
    delete place.dataset.drawn;
    const table = make("table", { id: id || null }, make("caption", { class: "unseen" }, label), make("thead", {}, make("tr", {}, ...heads)), body);
    const held = place.querySelector(".scroll")?.scrollLeft ?? 0;
    const scroll = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table);
    place.replaceChildren(scroll);
    scroll.scrollLeft = held;
    fill(0);
    return { columns, rows: ordered };
  };

  const field = value => {
    const text = value === null || value === undefined ? "" : String(value);
    // A spreadsheet would run a text that begins like a formula.
    const safe = typeof value === "string" && /^[=+@\t\r]|^-./.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };

  // Return what is seen as CSV: numbers in full, with the further columns that a column brings along.
  heatmark.csv = ({ columns, rows }) => {
    const endings = columns.map(column => column.more && rows.length ? Object.keys(column.more(rows[0])) : []);
    const name = column => column.csv ?? column.key;
    const head = columns.flatMap((column, number) => [name(column), ...endings[number].map(ending => `${name(column)}:${ending}`)]);
    const lines = rows.map(row => columns.flatMap((column, number) => {
      const more = endings[number].length ? column.more(row) : {};
      return [column.value(row), ...endings[number].map(ending => more[ending])];
    }));
    return [head, ...lines].map(line => line.map(field).join(",") + "\n").join("");
  };

  heatmark.download = (name, text, kind) => {
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: kind })), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
})();
