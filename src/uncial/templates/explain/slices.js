// Slices: the picture cut from left to right, and what column pooling kept of each slice.

const slicePixels = (s) => [s * facts.sliceWidth, Math.min((s + 1) * facts.sliceWidth, width)];
const features = array(facts.slices.features);
const featureCount = features.shape[1];
const keptRows = facts.slices.rows && array(facts.slices.rows);

const sliceStrip = strip($("slices-strip"), (x) => choose({ slice: clamp(Math.floor(x / facts.sliceWidth), 0, sliceCount - 1) }));
const slicePhoto = el("div", { className: facts.sliceWidth < 4 ? "" : "ruled" }, photo());
slicePhoto.style.setProperty("--slice", `calc(var(--zoom) * ${facts.sliceWidth}px)`);
sliceStrip.inner.append(slicePhoto);
const sliceMark = sliceStrip.mark();

/** (rows, S) how many features each slice kept from each row; one that found nothing in any row came from none. */
function keptFrom() {
  const counts = Array.from({ length: facts.slices.height }, () => new Array(sliceCount).fill(0));
  for (let s = 0; s < sliceCount; s++) for (let f = 0; f < featureCount; f++) {
    if (features.raw[s * featureCount + f]) counts[keptRows.raw[s * featureCount + f]][s]++;
  }
  return counts;
}
const rowCounts = keptRows && keptFrom();
if (rowCounts) {
  const most = largest(rowCounts.flat(), 1);
  const heat = raster(sliceCount, facts.slices.height, (x, y) => ["ink", rowCounts[y][x] / most], "How many features each slice kept from each row of the feature map");
  heat.className = "map";
  sliceStrip.row(heat, clamp(16 * facts.slices.height, 48, 96));
} else {
  const most = largest(features.raw, 1);
  const rows = Math.min(featureCount, 96);
  const heat = raster(sliceCount, rows, (x, y) => {
    const value = features.raw[x * featureCount + Math.floor((y * featureCount) / rows)] / most;
    return ["blue", features.signed ? 0.5 + value / 2 : value];
  }, "The features of each slice, from pale to full");
  heat.className = "map";
  sliceStrip.row(heat, 96);
}
const setSlice = ranged($("slices-controls"), "Slice", sliceCount - 1, (slice) => choose({ slice }));

/** Where the middle of what each row of the feature map sees lies, where rows are few enough to be told apart. */
const ticked = facts.column === "max" && facts.slices.height <= 8;
function rowTicks() {
  if (!ticked) return [];
  return rowCounts.map((_, row) => {
    const tick = el("span", { className: "tick", "aria-hidden": "true" }, String(row + 1));
    tick.style.top = `${(100 * clamp(middleOf(facts.slices, row, 0).y, 0, height)) / height}%`;
    return tick;
  });
}
const rowWords = () => (ticked ? [el("p", { className: "caption" }, `The numbered lines mark the middle of what each row sees; with padding that is ${facts.slices.field.size[0]} pixels high and ${facts.slices.field.size[1]} wide.`)] : []);

function showSlice() {
  const s = chosen.slice, [left, right] = slicePixels(s), around = Math.max(12, 2 * facts.sliceWidth);
  setSlice(s);
  sliceMark(left, right);
  const crop = photo(left - around, right - left + 2 * around, `Slice ${s + 1} and what is beside it`);
  const frame = el("span", { className: "frame", "aria-hidden": "true" });
  const wide = right - left + 2 * around;
  Object.assign(frame.style, { left: `${(100 * around) / wide}%`, width: `${(100 * (right - left)) / wide}%`, top: 0, height: "100%" });
  $("slice-photo").replaceChildren(el("span", { className: "crop" }, crop, frame, ...rowTicks()), ...rowWords());
  const own = features.part(s), most = largest(own.raw, 1) * features.scale;
  const columns = featureCount > 64 ? 32 : 16;
  if (!keptRows) {
    $("slice-rows").replaceChildren(el("p", { className: "caption" }, `${featureCount} features of this slice`), squares([...own.raw].map((v) => v * own.scale), columns, most, "The features of this slice", 9));
    return;
  }
  const silent = featureCount - rowCounts.reduce((sum, counts) => sum + counts[s], 0);
  $("slice-rows").replaceChildren(...rowCounts.map((counts, row) => {
    const values = [...own.raw].map((v, f) => (keptRows.raw[s * featureCount + f] === row ? v * own.scale : 0));
    return el("div", { className: "kept" },
      el("span", { className: "label" }, `row ${row + 1}${row === 0 ? ", top" : row === rowCounts.length - 1 ? ", bottom" : ""}`),
      squares(values, columns, most, `Features kept from row ${row + 1}`, 9),
      el("span", { className: "count" }, `${counts[s]} features`));
  }).filter((_, row) => rowCounts.length <= 8 || rowCounts[row][s]),
  el("p", { className: "caption" }, `A square is a feature, the larger the stronger, in the row where it was strongest. ${silent} of ${featureCount} features found nothing in this slice.`));
}
follow(showSlice);
