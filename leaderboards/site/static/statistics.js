// Two methods sample by sample, with the arithmetic of leaderboards/comparing/paired.py and what it calls: the numbers
// agree with `heatmark compare RUN --methods A,B --json` to 1e-12 (tested). Student's quantiles come from Python.
"use strict";

heatmark.statistics = (() => {
  const DIGITS = 6, EXACT_PAIRS = 50, LEVEL = 0.05;

  // Round to the nearest whole number, halves to the even one, as NumPy does; Math.round takes halves up.
  const rint = value => {
    const below = Math.floor(value), rest = value - below;
    if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
    return below % 2 === 0 ? below : below + 1;
  };

  const rounded = value => {
    if (!Number.isFinite(value) || value === 0) return value;
    const exponent = Math.floor(Math.log10(Math.abs(value)));
    const scale = Number(`1e${Math.max(-300, Math.min(300, DIGITS - 1 - exponent))}`);
    return rint(value * scale) / scale;
  };

  // Average ranks, 1 for the smallest.
  const ranks = values => {
    const order = values.map((value, place) => place).sort((a, b) => values[a] - values[b]);
    const found = new Array(values.length);
    for (let from = 0; from < order.length;) {
      let to = from;
      while (to + 1 < order.length && values[order[to + 1]] === values[order[from]]) to += 1;
      for (let place = from; place <= to; place += 1) found[order[place]] = (from + to) / 2 + 1;
      from = to + 1;
    }
    return found;
  };

  // The error function's complement: its series near zero, a continued fraction (Lentz) in the tail.
  const erfc = x => {
    if (x < 0) return 2 - erfc(-x);
    if (x < 2.5) {
      let term = x, sum = x;
      for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n += 1) {
        term *= 2 * x * x / (2 * n + 1);
        sum += term;
      }
      return 1 - 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }
    const tiny = 1e-300;
    let b = x, c = b, d = 0, value = b;
    for (let n = 1; n < 500; n += 1) {
      d = x + n / 2 * d || tiny;
      c = x + n / 2 / c || tiny;
      d = 1 / d;
      const factor = c * d;
      value *= factor;
      if (Math.abs(factor - 1) < 1e-16) break;
    }
    return Math.exp(-x * x) / Math.sqrt(Math.PI) / value;
  };
  const normalBelow = z => erfc(-z / Math.SQRT2) / 2;

  const apart = (first, second) => first.map((value, place) => rounded(rounded(value) - rounded(second[place])))
    .filter(value => Number.isFinite(value) && value !== 0);

  // To which side the signed-rank test leans: above zero where positive ranks outweigh.
  const lean = (first, second) => {
    const differences = apart(first, second), ranked = ranks(differences.map(Math.abs));
    return ranked.reduce((sum, rank, place) => sum + Math.sign(differences[place]) * rank, 0);
  };

  // The two-sided p value of the signed-rank test; exact up to EXACT_PAIRS differences, ties too.
  const signedRank = (first, second) => {
    const differences = apart(first, second);
    const doubled = ranks(differences.map(Math.abs)).map(rank => rint(2 * rank));
    const total = doubled.reduce((sum, rank) => sum + rank, 0);
    const rises = doubled.reduce((sum, rank, place) => sum + (differences[place] > 0 ? rank : 0), 0);
    const least = Math.min(rises, total - rises);
    if (doubled.length > EXACT_PAIRS) {
      const deviation = Math.sqrt(doubled.reduce((sum, rank) => sum + rank * rank, 0)) / 2;
      return 2 * normalBelow((least - total / 2) / deviation);
    }
    const chances = new Float64Array(total + 1);
    chances[0] = 1;
    for (const rank of doubled) {
      for (let place = total; place >= rank; place -= 1) chances[place] = (chances[place] + chances[place - rank]) / 2;
      for (let place = 0; place < rank; place += 1) chances[place] /= 2;
    }
    let tail = 0;
    for (let place = 0; place <= least; place += 1) tail += chances[place];
    return Math.min(1, 2 * tail);
  };

  const median = values => {
    const sorted = Float64Array.from(values).sort(), middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  };
  const sum = values => values.reduce((total, value) => total + value, 0);

  // The mean with Student's 95 % interval, the sums taken about the median so that constants stay exact.
  const meanInterval = (values, quantiles) => {
    const count = values.length, centre = median(values);
    const offsets = values.map(value => value - centre);
    const shift = sum(offsets) / count, mean = centre + shift;
    if (count < 2) return { mean, low: NaN, high: NaN };
    const error = Math.sqrt(sum(offsets.map(offset => (offset - shift) ** 2)) / (count - 1) / count);
    const reach = error === 0 ? 0 : quantiles[count - 2] * error;
    return { mean, low: mean - reach, high: mean + reach };
  };

  // First minus second over the samples that both have; `higher` is null where the better direction is not known.
  const paired = (first, second, higher, quantiles) => {
    const both = Array.from(first.keys()).filter(place => Number.isFinite(first[place]) && Number.isFinite(second[place]));
    const one = both.map(place => first[place]), other = both.map(place => second[place]);
    const none = { samples: 0, mean: NaN, low: NaN, high: NaN, wins: 0, ties: 0, losses: 0, p: NaN };
    const unknown = higher === null ? { wins: null, ties: null, losses: null } : {};
    if (!both.length) return { ...none, ...unknown };
    const interval = meanInterval(one.map((value, place) => value - other[place]), quantiles);
    const leads = one.map((value, place) => Math.sign(rounded(value) - rounded(other[place])) * (higher ? 1 : -1));
    const counts = { wins: leads.filter(lead => lead > 0).length, ties: leads.filter(lead => lead === 0).length, losses: leads.filter(lead => lead < 0).length };
    return { samples: both.length, ...interval, ...counts, ...unknown, p: signedRank(one, other) };
  };

  // Holm's adjusted p values; what is not finite stays as it is and counts for nothing.
  const holm = values => {
    const known = values.map((value, place) => place).filter(place => Number.isFinite(values[place])).sort((a, b) => values[a] - values[b] || a - b);
    const adjusted = [...values];
    let largest = 0;
    known.forEach((place, number) => {
      largest = Math.max(largest, values[place] * (known.length - number));
      adjusted[place] = Math.min(1, largest);
    });
    return adjusted;
  };

  // Two methods on every metric of a table: as in leaderboards/comparing/comparison.py, with p adjusted over the metrics.
  const compared = (pairs, quantiles) => {
    const found = pairs.map(({ first, second, higher }) => {
      const [one, other] = [Array.from(first), Array.from(second)];
      return { ...paired(first, second, higher, quantiles), higher, same: !apart(one, other).length, lean: lean(one, other) };
    });
    return holm(found.map(one => one.p)).map((p_holm, place) => ({ ...found[place], p_holm, outcome: outcome(found[place], p_holm) }));
  };
  const outcome = (one, p) => {
    if (!one.samples) return "no sample";
    if (one.same) return "same";
    if (!(p <= LEVEL)) return "not told apart";
    if (one.higher === null) return "differs";
    return (one.lean > 0) === one.higher ? "first" : "second";
  };

  return { compared, holm, rounded, ranks, normalBelow, signedRank, meanInterval, paired };
})();
