// Figures as SVG, drawn from the data, with the value of every mark on hovering and on focus.
"use strict";

(() => {
  const { format, make } = heatmark;
  const SPACE = "http://www.w3.org/2000/svg";

  heatmark.svg = (name, attributes = {}, ...children) => {
    const element = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const svg = heatmark.svg;

  const tip = make("div", { class: "tip", role: "status", hidden: true });
  document.body.append(tip);
  const hide = () => { tip.hidden = true; };

  // Say `words` beside an element while it is pointed at or has the focus.
  heatmark.tip = (element, words) => {
    const show = () => {
      tip.textContent = words;
      tip.hidden = false;
      const box = element.getBoundingClientRect(), width = tip.offsetWidth;
      tip.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, box.left + box.width / 2 - width / 2)) + scrollX}px`;
      tip.style.top = `${box.top + scrollY - tip.offsetHeight - 8}px`;
    };
    element.setAttribute("aria-label", words);
    for (const event of ["pointerenter", "focus"]) element.addEventListener(event, show);
    for (const event of ["pointerleave", "blur"]) element.addEventListener(event, hide);
  };
  addEventListener("keydown", event => { if (event.key === "Escape") hide(); });

  // Return round numbers that cover an interval.
  heatmark.ticks = (low, high, wanted = 5) => {
    if (!(high > low)) return [low];
    const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map(factor => factor * power).find(size => size >= rough);
    const found = [];
    for (let tick = Math.ceil(low / step); tick * step <= high + step * 1e-9; tick += 1) found.push(Number((tick * step).toPrecision(12)));
    return found;
  };

  // Return a scale from values to pixels.
  heatmark.scale = (low, high, from, to) => value => from + (to - from) * (high > low ? (value - low) / (high - low) : 0.5);

  heatmark.figure = (place, drawing, caption) => {
    place.replaceChildren(make("div", { class: "drawing" }, drawing), make("figcaption", {}, caption));
  };

  // Whether figures have to do with a narrow page.
  heatmark.narrow = () => matchMedia("(max-width: 640px)").matches;

  const shorter = (text, length = 28) => text.length <= length ? text : `${text.slice(0, length - 1)}…`;
  heatmark.shorter = shorter;
})();
