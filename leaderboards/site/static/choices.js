// The controls of pages that show one table by one metric: a choice of each, kept in the address.
"use strict";

// `offered` holds [table's data, [metric's slug, ...]] pairs; a metric "" stands for all of them together.
// Calls draw(table's data, metric's slug) now and after every change. Returns what to call to draw again.
heatmark.choose = (board, form, offered, draw, place) => {
  const { make } = heatmark;
  const named = slug => slug ? board.metrics.find(metric => metric.slug === slug).shown : "all metrics (mean rank)";
  const chosen = () => {
    const { task, metric } = heatmark.address();
    const [data, metrics] = offered.find(([name]) => name === task) ?? offered[0];
    return { data, metrics, metric: metrics.includes(metric) ? metric : metrics[0] };
  };
  const select = (name, words, options, value) => {
    const control = make("select", { name }, ...options.map(([key, text]) => make("option", { value: key }, text)));
    control.value = value;
    return make("label", {}, make("span", {}, words), control);
  };
  const again = async () => {
    const { data, metrics, metric } = chosen(), focused = document.activeElement?.name;
    form.replaceChildren(
      ...(offered.length > 1 ? [select("task", "Task", offered.map(([name]) => [name, board.settings.find(one => one.data === name).title]), data)] : []),
      ...(offered.some(([, others]) => others.length > 1) ? [select("metric", "Metric", metrics.map(slug => [slug, named(slug)]), metric)] : []));
    if (focused) form.elements[focused]?.focus();
    try {
      await draw(data, metric);
      document.documentElement.dataset.ready = `${data}/${metric}`;
    } catch (error) {
      heatmark.failed(place, error);
    }
  };
  form.addEventListener("change", event => {
    const { data, metric } = chosen();
    heatmark.setAddress({ task: data, metric, [event.target.name]: event.target.value });
    again();
  });
  form.addEventListener("submit", event => event.preventDefault());
  addEventListener("hashchange", again);
  return again;
};
