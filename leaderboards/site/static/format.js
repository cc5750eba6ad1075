// How numbers are written: as in every other output (leaderboards/writing/numbers.py).
"use strict";

heatmark.format = (() => {
  const missing = "-";
  const finite = value => typeof value === "number" && Number.isFinite(value);

  // Round as Python does: a value exactly half-way goes to the even digit, where toFixed goes up.
  const fixed = (value, digits) => {
    const text = value.toFixed(digits);
    const [whole, rest] = Math.abs(value).toFixed(Math.min(100, digits + 60)).split(".");
    if (!/^50*$/.test(rest.slice(digits)) || Number(text.at(-1)) % 2 === 0) return text;
    const kept = digits ? `${whole}.${rest.slice(0, digits)}` : whole;
    return value < 0 ? `-${kept}` : kept;
  };

  const number = value => {
    if (!finite(value)) return missing;
    const size = Math.abs(value);
    if (size >= 1e5 || (size > 0 && size < 5e-4)) {
      return value.toExponential(1).replace(/e([+-])(\d)$/, "e$10$2");
    }
    return fixed(value, size < 10 ? 3 : size < 100 ? 2 : size < 1000 ? 1 : 0);
  };
  const decimals = (value, digits = 2) => finite(value) ? fixed(value, digits) : missing;
  const rank = value => {
    if (!finite(value)) return missing;
    return value === Math.round(value) ? String(value) : fixed(value, 2).replace(/0+$/, "");
  };
  const interval = (low, high, text = number) => finite(low) && finite(high) ? `[${text(low)}, ${text(high)}]` : "";
  const percent = value => finite(value) ? `${fixed(100 * value, 1)} %` : missing;
  const wholePercent = share => fixed(Number((100 * share).toFixed(9)), 0);
  const p = value => !finite(value) ? missing : value >= 0.001 ? fixed(value, 3) : value.toExponential(0).replace(/e([+-])(\d)$/, "e$10$2");
  const signed = value => finite(value) && value > 0 ? `+${number(value)}` : number(value);
  return { missing, finite, number, decimals, rank, interval, percent, wholePercent, p, signed };
})();
