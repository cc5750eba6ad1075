// A method's colour and marker, as in every figure: both say the family, so that nothing rests on colour alone.
"use strict";

(() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const SHAPES = {
    o: "M5 1a4 4 0 1 0 .001 0z", s: "M1.5 1.5h7v7h-7z", "^": "M5 1 9 8.5H1z", v: "M5 9 1 1.5h8z", D: "M5 .6 9.4 5 5 9.4.6 5z",
    P: "M3.5 1h3v2.5H9v3H6.5V9h-3V6.5H1v-3h2.5z", X: "M3 .8 5 2.8 7 .8 9.2 3l-2 2 2 2L7 9.2l-2-2-2 2L.8 7l2-2-2-2z", p: "M5 .8 9.2 3.9 7.6 8.9H2.4L.8 3.9z",
    x: "M1.5 1.5l7 7m0-7l-7 7", "+": "M5 1v8M1 5h8", 1: "M5 5v4M5 5 1.5 2.5M5 5l3.500-2.5", 2: "M5 5V1M5 5 1.500 7.500M5 5l3.500 2.500", 3: "M5 5H1M5 5l2.500-3.500M5 5l2.500 3.500", 4: "M5 5h4M5 5 2.500 1.500M5 5 2.500 8.500",
  };
  const OPEN = new Set(["x", "+", "1", "2", "3", "4"]);
  const FILLED = { full: 1, none: 0, left: 0.5, bottom: 0.25 };

  // Give an element a method's colour as its `color`, one for light and one for dark ground.
  heatmark.ink = (element, method) => {
    element.classList.add("inked");
    element.style.setProperty("--on-light", method.colour);
    element.style.setProperty("--on-dark", method.dark);
    return element;
  };

  heatmark.shape = (method, attributes = {}) => {
    const path = document.createElementNS(SPACE, "path"), open = OPEN.has(method.marker);
    const all = { d: SHAPES[method.marker] ?? SHAPES.o, stroke: "currentColor", "stroke-width": 1.4, fill: open ? "none" : "currentColor", "fill-opacity": open ? 1 : FILLED[method.fill] ?? 1, ...attributes };
    for (const [key, value] of Object.entries(all)) path.setAttribute(key, value);
    return heatmark.ink(path, method);
  };

  heatmark.marker = method => {
    const swatch = document.createElementNS(SPACE, "svg");
    for (const [key, value] of Object.entries({ viewBox: "-.5 -.5 11 11", class: "swatch", "aria-hidden": "true" })) swatch.setAttribute(key, value);
    swatch.append(heatmark.shape(method));
    return swatch;
  };
})();
