// Memory: the recurrent layers unfolded in time, and how far a slice looks.

const reachChange = array(facts.reach.change);
const memoryStrip = strip($("memory-strip"), (x) => choose({ slice: clamp(Math.floor(x / facts.sliceWidth), 0, sliceCount - 1) }));
memoryStrip.row(photo());
const memoryMark = memoryStrip.mark();
const setMoment = ranged($("memory-controls"), "Slice", sliceCount - 1, (slice) => choose({ slice }));
let ranAs = 0, statesRow = null;

const direction = () => facts.memory[ranAs];
const directionName = (one) => `Layer ${one.layer + 1}, ${one.backward ? "right to left" : "left to right"}`;

/** States of some units along the line: those that vary most; from pale, the most negative, to full, the most positive. */
function statesHeat() {
  const states = array(direction().states), size = states.shape[1], rows = Math.min(size, 48);
  const spread = [...Array(size).keys()].map((u) => {
    let sum = 0, squared = 0;
    for (let s = 0; s < sliceCount; s++) { const v = states.raw[s * size + u]; sum += v; squared += v * v; }
    return [u, squared / sliceCount - (sum / sliceCount) ** 2];
  });
  const units = spread.sort((a, b) => b[1] - a[1]).slice(0, rows).map(([u]) => u).sort((a, b) => a - b);
  const heat = raster(sliceCount, rows, (x, y) => {
    return ["blue", states.signed ? 0.5 + states.raw[x * size + units[y]] / 254 : 0.5 + states.raw[x * size + units[y]] / 510];
  }, `${directionName(direction())}: states of ${rows} units along the line`);
  heat.className = "map";
  heat.style.height = "96px";
  if (statesRow) statesRow.replaceWith(heat);
  else memoryStrip.inner.append(heat);
  statesRow = heat;
}

const numbersOf = (values) => [...values.raw].map((v) => v * values.scale);
function inputOf(s) {
  const { layer } = direction();
  if (!layer) return numbersOf(features.part(s));
  return facts.memory.filter((one) => one.layer === layer - 1).flatMap((one) => numbersOf(array(one.states).part(s)));
}

function showMoment() {
  const s = chosen.slice;
  setMoment(s);
  memoryMark(...slicePixels(s));
  showReach(s);
  if (!facts.memory.length) return;
  const one = direction(), states = array(one.states), size = states.shape[1], columns = Math.ceil(Math.sqrt(size)), by = one.backward ? -1 : 1;
  const most = largest(states.raw, 1) * states.scale;
  const start = new Array(size).fill(0), before = s - by;
  const inLine = (i) => i >= 0 && i < sliceCount;
  const state = (i) => (inLine(i) ? numbersOf(states.part(i)) : start);
  const input = inputOf(s), strongest = largest(input, 1e-6);
  const box = (name, values, greatest, wide, said) => el("figure", { className: "state" }, squares(values, wide, greatest, said, 7), el("figcaption", {}, name));
  const kept = !one.kept ? "This cell has no gates: it makes its whole state anew."
    : facts.recurrent !== "gru" ? `Its forget gates let ${percent(one.kept[s])} of what it remembered pass, mean over its units.`
    : `It kept ${percent(one.kept[s])} of its state, mean over its units, and wrote the rest anew.`;
  const arrow = (text) => el("span", { className: "arrow", "aria-hidden": "true" }, text);
  const scene = [
    box(inLine(before) ? `state after slice ${before + 1}` : "no state yet: all zero", state(before), most, columns, "State before"),
    arrow(one.backward ? "←" : "→"),
    el("div", { className: "cell" }, el("span", { className: "crop" }, photo(s * facts.sliceWidth - 12, facts.sliceWidth + 24, `Slice ${s + 1}`)),
      el("span", { className: "arrow", "aria-hidden": "true" }, "↓"),
      box(`input: ${one.layer ? "states of the layer below" : "features"} of slice ${s + 1}`, input, strongest, Math.ceil(Math.sqrt(input.length * 2)), "Input"),
      el("span", { className: "arrow", "aria-hidden": "true" }, "↓"), el("strong", {}, facts.recurrent.toUpperCase())),
    arrow(one.backward ? "←" : "→"),
    box(`state after slice ${s + 1}`, state(s), most, columns, "State after"),
  ];
  $("cells").replaceChildren(...(one.backward ? scene.reverse() : scene));
  $("cell-words").textContent = `${directionName(one)}. ${kept}`;
}

/** How strongly each slice moves the chosen one, as bars below the picture, and in words. */
function showReach(s) {
  const [groups] = reachChange.shape, group = facts.reach.group, own = Math.floor(s / group);
  const bars = [...Array(groups).keys()].map((g) => reachChange.at(g * sliceCount + s));
  const most = Math.max(...bars, 0.02);
  $("reach").replaceChildren(...bars.map((value, g) => {
    const bar = el("i", { className: g === own ? "own" : "" });
    bar.style.height = `${(100 * value) / most}%`;
    bar.style.flexGrow = Math.min(group, sliceCount - g * group);
    return bar;
  }));
  const far = (from, by) => {
    let furthest = 0;
    for (let g = from + by, n = 1; g >= 0 && g < groups; g += by, n++) if (bars[g] >= 0.02) furthest = n * group;
    return furthest;
  };
  const left = far(own, -1), right = far(own, 1);
  const told = (n, side) => (n ? `${n} slice${n === 1 ? "" : "s"} to the ${side} (${n * facts.sliceWidth} pixels)` : `none to the ${side}`);
  const looks = left + right ? `${told(left, "left")} and ${told(right, "right")}` : "itself only";
  $("reach-words").textContent = `Slice ${s + 1} draws on ${looks}: beyond that, hiding ` +
    `${group > 1 ? `${group} slices` : "a slice"} moves the posteriors here by less than 2 percentage points. The tallest bar is ${percent(Math.max(...bars))}. ` +
    `${facts.memory.length ? "The field at the bottom holds the states of the chosen layer, a row for each unit: full is positive, pale negative." : ""}`;
}

const reachBars = el("div", { id: "reach", className: "bars", role: "img", "aria-label": "How far hiding each slice moves the reading of the chosen one" });
memoryStrip.inner.append(reachBars);
if (facts.memory.length) {
  $("directions").append(...facts.memory.map((one, n) => el("button", { type: "button", "aria-pressed": String(!n), onclick: () => {
    ranAs = n;
    [...$("directions").children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === n)));
    statesHeat();
    showMoment();
  } }, `${one.backward ? "◀" : "▶"} ${directionName(one)}`)));
  $("memory-controls").append(player("Run", () => {
    const next = chosen.slice + (direction().backward ? -1 : 1), inside = next >= 0 && next < sliceCount;
    if (inside) choose({ slice: next });
    return inside;
  }, calm ? 900 : 220));
  statesHeat();
}
follow(showMoment);
