// From pixels to features: filters and their maps, the magnifier, receptive fields.

const point = { x: 0, y: 0 }; // of the picture; every layer shows its value nearest to it
let layerShown = 0;
// At first the filter that tells places apart most: the one whose answers vary most along this line.
const filterShown = facts.layers.map((layer) => {
  const spread = layer.filters.map((_, n) => {
    const { raw } = array(layer.maps).part(n), mean = raw.reduce((a, b) => a + b, 0) / raw.length;
    return raw.reduce((a, b) => a + (b - mean) ** 2, 0);
  });
  return spread.indexOf(Math.max(...spread));
});

/** What a layer is called, for people. */
const layerName = (name) => name.replace(/\.conv$/, "")
  .replace(/^stages\.(\d+)\.(\d+)\.(\w+)$/, (_, stage, block, part) => `stage ${+stage + 1}, block ${+block + 1}, ${part === "shortcut" ? "short cut" : part}`)
  .replace(/^convs\.(\d+)$/, (_, n) => `convolution ${+n + 1}`);

const valueAt = (layer) => {
  const { size, step, start } = layer.field, [, rows, columns] = layer.maps.shape;
  const nearest = (p, a) => Math.round((p - start[a] - (size[a] - 1) / 2) / step[a]);
  return [clamp(nearest(point.y, 0), 0, rows - 1), clamp(nearest(point.x, 1), 0, columns - 1)];
};
const fieldOf = (layer, row, column) => {
  const { size, step, start } = layer.field;
  return { top: start[0] + row * step[0], left: start[1] + column * step[1], height: size[0], width: size[1] };
};
const middleOf = (layer, row, column) => {
  const field = fieldOf(layer, row, column);
  return { x: field.left + (field.width - 1) / 2, y: field.top + (field.height - 1) / 2 };
};

/** The map of a filter: dark blue where it answers; what a ReLU would cut is left blank. */
function mapOf(layer, n, label) {
  const map = array(layer.maps).part(n), [rows, columns] = map.shape;
  const most = largest(map.raw.filter((value) => value > 0), 1) * map.scale;
  return raster(columns, rows, (x, y) => ["blue", map.at(y * columns + x) / most], label);
}

function kernelOf(layer, n, k, side) {
  const [rows, columns] = layer.kernel, weights = layer.weights[n][k].flat();
  const most = largest(layer.weights[n].flat(2), 1e-6);
  return squares(weights, columns, most, `Weights: ${rows} rows of ${columns}`, side);
}

function showLayer(index) {
  layerShown = index;
  const layer = facts.layers[index], [down, across] = layer.stride, [ph, pw] = layer.padding;
  $("layer").value = index;
  const { size, step } = layer.field;
  const shows = layer.filters.length < layer.outputs ? `; the ${layer.filters.length} that answer most strongly here are shown` : "";
  $("layer-facts").textContent =
    `${layer.outputs} filters of ${layer.kernel.join(" × ")} over ${layer.inputs === 1 ? "the picture" : `${layer.inputs} maps`}${shows}. ` +
    `A filter moves ${across} to the right and ${down} down at each step; padding ${pw || "none"} across, ${ph || "none"} down. ` +
    `Each value sees ${size[1]} × ${size[0]} pixels (across × down), its neighbours as many, ${step[1]} further across and ${step[0]} down.` +
    (layer.activated ? "" : " This answer is added to another before negative values are cut.") +
    " Below, each filter stands beside its map: the stronger a place stands out, the stronger the answer.";
  $("filters").replaceChildren(...layer.filters.map((filter, n) =>
    el("button", { type: "button", className: "tile", "aria-pressed": String(n === filterShown[index]), title: `Filter ${filter + 1}`,
      onclick: () => { filterShown[index] = n; showFilter(); } },
    el("span", { className: "tile-name" }, String(filter + 1)), kernelOf(layer, n, 0, 6), mapOf(layer, n, `Map of filter ${filter + 1}`))));
  showFilter();
}

let fieldRow = null;
function showFilter() {
  const layer = facts.layers[layerShown], n = filterShown[layerShown];
  [...$("filters").children].forEach((tile, i) => tile.setAttribute("aria-pressed", String(i === n)));
  const map = mapOf(layer, n, `What filter ${layer.filters[n] + 1} answers along the line`);
  map.className = "map";
  if (fieldRow) fieldRow.replaceWith(map);
  else fieldStrip.inner.append(map);
  fieldRow = map;
  $("listens").replaceChildren(
    el("p", { className: "caption" }, layer.inputs === 1
      ? `Filter ${layer.filters[n] + 1}, its weights over the picture. Filled squares look for ink, hollow ones for paper.`
      : `Filter ${layer.filters[n] + 1} and the maps of the layer before that it weighs most. Filled squares add, hollow ones take away.`),
    el("div", { className: "kernels" }, ...layer.listensTo[n].map((input, k) => el("figure", {}, kernelOf(layer, n, k, 16),
      el("figcaption", {}, layer.inputs === 1 ? "picture" : `map ${input + 1}`)))));
  showPatches(layer, n);
  showPoint();
}

/** The places where a filter answers most strongly, no two of them overlapping. */
function showPatches(layer, n) {
  const map = array(layer.maps).part(n), columns = map.shape[1], found = [];
  const order = [...map.raw.keys()].filter((i) => map.raw[i] > 0).sort((a, b) => map.raw[b] - map.raw[a]);
  for (const i of order) {
    const place = [Math.floor(i / columns), i % columns];
    if (found.length < 6 && found.every(([r, c]) => Math.abs(c - place[1]) * layer.field.step[1] > Math.max(layer.field.size[1], 16))) found.push(place);
  }
  $("patches").replaceChildren(...found.map(([row, column]) => {
    const field = fieldOf(layer, row, column), room = Math.max(field.width, 32), left = Math.round(field.left - (room - field.width) / 2);
    const crop = photo(left, room, `Where the filter answers ${number(map.at(row * columns + column))}`);
    const frame = el("span", { className: "frame", "aria-hidden": "true" });
    Object.assign(frame.style, { left: `${(100 * (field.left - left)) / room}%`, width: `${(100 * field.width) / room}%`,
      top: `${(100 * Math.max(field.top, 0)) / height}%`, height: `${(100 * (Math.min(field.top + field.height, height) - Math.max(field.top, 0))) / height}%` });
    return el("button", { type: "button", className: "patch", onclick: () => { Object.assign(point, middleOf(layer, row, column)); showPoint(); } },
      el("span", { className: "crop" }, crop, frame), number(map.at(row * columns + column)));
  }));
}

function showPoint() {
  const layer = facts.layers[layerShown], [row, column] = valueAt(layer), field = fieldOf(layer, row, column);
  const map = array(layer.maps).part(filterShown[layerShown]), [rows, columns] = map.shape;
  setAcross(column, columns - 1);
  setDown(row, rows - 1);
  fieldMark(Math.max(field.left, 0), Math.min(field.left + field.width, width));
  const box = fieldStrip.inner.querySelector(".mark.field");
  const top = Math.max(field.top, 0), bottom = Math.min(field.top + field.height, height);
  box.style.top = `calc(var(--zoom) * ${top}px)`;
  box.style.height = `calc(var(--zoom) * ${bottom - top}px)`;
  const dot = fieldStrip.inner.querySelector(".mark.value");
  fieldValue((column / columns) * width, ((column + 1) / columns) * width, false);
  dot.style.top = `calc(var(--zoom) * ${height}px + 6px + ${(row / rows) * 84}px)`;
  dot.style.height = `${84 / rows}px`;
  const over = field.left < 0 || field.top < 0 || field.left + field.width > width || field.top + field.height > height;
  $("value").textContent = `Row ${row + 1} of ${rows}, column ${column + 1} of ${columns}: the answer is ` +
    `${number(map.at(row * columns + column))}. It sees the framed ${field.width} × ${field.height} pixels` +
    `${over ? "; what lies outside of the picture is padding" : ""}.`;
  showLens();
}

/** The magnifier: the first layer's filter on the picture, and its sum. */
function showLens() {
  const layer = facts.layers.find((one) => one.inputs === 1);
  $("lens").hidden = !layer;
  if (!layer) return;
  const n = filterShown[facts.layers.indexOf(layer)], [row, column] = valueAt(layer), [kh, kw] = layer.kernel;
  const field = fieldOf(layer, row, column), weights = layer.weights[n][0];
  const around = 4, cells = [], [down, across] = layer.stride, [ph, pw] = layer.padding;
  for (let y = field.top - around; y < field.top + kh + around; y++) {
    for (let x = field.left - around - 3; x < field.left + kw + around + 3; x++) {
      const outside = x < 0 || y < 0 || x >= width || y >= height;
      const beyond = x < -pw || y < -ph || x >= width + pw || y >= height + ph;
      const under = x >= field.left && x < field.left + kw && y >= field.top && y < field.top + kh;
      const next = x >= field.left + across && x < field.left + across + kw && y >= field.top && y < field.top + kh;
      const below = x >= field.left && x < field.left + kw && y >= field.top + down && y < field.top + down + kh;
      const cell = el("i", { className: `${beyond ? "beyond" : outside ? "padding" : ""} ${under ? "under" : next ? "next" : below ? "below" : ""}` });
      cell.style.setProperty("--ink", inkAt(x, y));
      cells.push(cell);
    }
  }
  $("lens-stride").textContent = `The filter stands on the framed pixels; the dotted ones are its next place, ${across} to the right, and the hatched ones its place in the next row, ${down} down. Dashed squares are padding: ${ph || "no"} row${ph === 1 ? "" : "s"} and ${pw || "no"} column${pw === 1 ? "" : "s"} of zeros around the picture.`;
  $("lens-view").style.setProperty("--columns", kw + 2 * around + 6);
  $("lens-view").replaceChildren(...cells);
  let sum = 0;
  const grid = (make, kind) => {
    const box = el("div", { className: `numbers ${kind}` });
    box.style.setProperty("--columns", kw);
    for (let y = 0; y < kh; y++) for (let x = 0; x < kw; x++) box.append(make(x, y));
    return box;
  };
  const inked = grid((x, y) => el("b", {}, number(inkAt(field.left + x, field.top + y))), "pixels");
  // Training's scale is multiplied into the weights, as a network that only reads may do: so the products add up to the answer.
  const weighed = grid((x, y) => el("b", {}, number(layer.scale[n] * weights[y][x])), "weights");
  const products = grid((x, y) => {
    const product = inkAt(field.left + x, field.top + y) * layer.scale[n] * weights[y][x];
    sum += product;
    return el("b", { className: product ? "" : "none" }, number(product));
  }, "products");
  const answer = sum + layer.shift[n], result = layer.activated ? Math.max(0, answer) : answer;
  const part = (box, name) => el("figure", {}, box, el("figcaption", {}, name));
  const sign = (text) => el("span", { className: "sign", "aria-hidden": "true" }, text);
  $("sum").replaceChildren(part(inked, "ink below"), sign("×"), part(weighed, `weights of filter ${layer.filters[n] + 1}`), sign("="), part(products, "products"));
  $("sum-words").textContent = `The products add up to ${number(sum)}. With the filter’s own offset of ${number(layer.shift[n])} that makes ${number(answer)}` +
    `${!layer.activated ? "" : answer < 0 ? "; negative answers are cut to 0, so the map holds 0.00" : ", which is what the map holds"}. Numbers are shown to two decimals and added up in full.`;
  const told = array(layer.maps).part(n), columns = told.shape[1];
  $("lens").dataset.sum = result;
  $("lens").dataset.map = told.at(row * columns + column);
}

/** Move by whole steps of the layer that is shown, on from the end of a row to the next. */
function stepBy(across, down, layer = facts.layers[layerShown]) {
  const [, rows, columns] = layer.maps.shape;
  let [row, column] = valueAt(layer);
  column += across;
  row += down;
  if (column >= columns) [row, column] = [row + 1, 0];
  if (column < 0) [row, column] = [row - 1, columns - 1];
  const inside = row >= 0 && row < rows;
  if (inside) Object.assign(point, middleOf(layer, row, column));
  showPoint();
  return inside;
}

/** Go to the place within a letter where the chosen filter answers most strongly. */
function lookAt(letter) {
  const layer = facts.layers[layerShown], map = array(layer.maps).part(filterShown[layerShown]), columns = map.shape[1];
  let best = -Infinity;
  map.raw.forEach((value, i) => {
    const middle = middleOf(layer, Math.floor(i / columns), i % columns);
    if (value <= best || Math.abs(middle.x - (letter.left + letter.right) / 2) > Math.max(8, layer.field.step[1])) return;
    best = value;
    Object.assign(point, middle);
  });
}

let fieldStrip, fieldMark, fieldValue, setAcross, setDown;
if (facts.layers.length) {
  fieldStrip = strip($("field"), (x, event) => {
    const layer = facts.layers[layerShown], box = event.target.getBoundingClientRect(), share = (event.clientY - box.top) / box.height;
    const onMap = event.target.classList.contains("map"), [, rows] = layer.maps.shape;
    point.x = x;
    point.y = onMap ? middleOf(layer, Math.floor(share * rows), 0).y : share * height;
    showPoint();
  });
  fieldStrip.row(photo());
  fieldMark = fieldStrip.mark("field");
  fieldValue = fieldStrip.mark("value");
  const moving = (axis) => (value) => {
    const layer = facts.layers[layerShown], [row, column] = valueAt(layer);
    Object.assign(point, axis ? middleOf(layer, row, value) : middleOf(layer, value, column));
    showPoint();
  };
  const range = (label, axis) => {
    const set = ranged($("field-controls"), label, 1, moving(axis));
    const input = $("field-controls").lastElementChild.querySelector("input");
    return (value, most) => { input.max = most; set(value); };
  };
  setAcross = range("Column", 1);
  setDown = range("Row", 0);
  facts.layers.forEach((layer, i) => $("layer").append(el("option", { value: i }, `${i + 1}. ${layerName(layer.name)}: ${layer.outputs} filters ${layer.kernel.join(" × ")}`)));
  $("layer").addEventListener("change", () => showLayer(Number($("layer").value)));
  const lensLayer = facts.layers.find((one) => one.inputs === 1);
  const step = (text, label, across, down) => el("button", { type: "button", "aria-label": label, onclick: () => stepBy(across, down, lensLayer) }, text);
  $("lens-controls").append(step("◀", "Step left", -1, 0), step("▶", "Step right", 1, 0), step("▲", "Step up", 0, -1), step("▼", "Step down", 0, 1),
    player("Slide", () => stepBy(1, 0, lensLayer), calm ? 900 : 350));
  $("lens-view").addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    stepBy(...move, lensLayer);
  });
  point.x = width / 2;
  point.y = height / 2;
  showLayer(0);
  follow((part) => {
    if (!("letter" in part) || part.letter < 0) return;
    lookAt(facts.letters[part.letter]);
    showPoint();
  });
} else {
  $("features-body").hidden = true;
  $("features-none").hidden = false;
}
