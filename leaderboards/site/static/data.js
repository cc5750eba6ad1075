// Data are scripts that call heatmark.received: a page opened from disk may run a file beside it, but not fetch it.
"use strict";
const heatmark = {};

(() => {
  const known = new Map(), asked = new Map();
  heatmark.root = document.documentElement.dataset.root;

  heatmark.received = (name, data) => known.set(name, data);

  // Return a promise of the data called `name`; each file is asked for once.
  heatmark.load = name => {
    if (known.has(name)) return Promise.resolve(known.get(name));
    if (!asked.has(name)) {
      asked.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `${heatmark.root}data/${name}.js`;
        script.onload = () => resolve(known.get(name));
        script.onerror = () => reject(new Error(`The file data/${name}.js is missing. Make the site again.`));
        document.head.append(script);
      }));
    }
    return asked.get(name);
  };

  const bytes = text => Uint8Array.from(atob(text), character => character.charCodeAt(0)).buffer;
  heatmark.doubles = text => new Float64Array(bytes(text));
  heatmark.floats = text => new Float32Array(bytes(text));

  // Show on the page why it cannot be drawn, instead of leaving it empty.
  heatmark.failed = (place, error) => {
    const words = heatmark.make("p", { class: "warning", role: "alert" }, error.message);
    place.replaceChildren(words);
  };

  // Make an element; children that are texts stay texts, whatever they hold.
  heatmark.make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(key, "");
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };

  // What the address says behind `#`, and back; unknown and empty parts are left out by whoever reads.
  heatmark.address = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  heatmark.setAddress = parts => {
    const text = new URLSearchParams(parts).toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  };
})();
