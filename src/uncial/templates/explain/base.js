"use strict";
// What every panel uses: the numbers, the one chosen place, and strips that lie as wide as the line.

const $ = (id) => document.getElementById(id);
const facts = JSON.parse($("facts").textContent);

async function unpacked() {
  const bytes = Uint8Array.from(atob($("numbers").textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

if (!("DecompressionStream" in window)) {
  $("trouble").hidden = false;
  return;
}
const bytes = await unpacked();

/** An array of the page: at(i) is its i-th number, part(n) the n-th of its parts along the first axis. */
function array(place, offset = 0, shape = place.shape) {
  const size = shape.reduce((a, b) => a * b, 1);
  const Type = place.signed ? Int8Array : Uint8Array;
  const raw = new Type(bytes.buffer, place.at + offset, size);
  return {
    shape, raw, scale: place.scale, signed: place.signed,
    at: (i) => raw[i] * place.scale,
    part: (n) => array(place, offset + n * (size / shape[0]), shape.slice(1)),
  };
}

/** An element with properties and children; names with a dash are attributes. */
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role" || name === "for") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

const shown = (grapheme) => (grapheme === "" ? "∅" : grapheme === " " ? "␣" : grapheme);
const said = (grapheme) => (grapheme === "" ? "blank" : grapheme === " " ? "space" : grapheme);
const percent = (p) => (p > 0 && p < 0.005 ? "< 1" : p > 0.995 && p < 1 ? "> 99" : String(Math.round(100 * p))) + "\u202f%";
const number = (v) => v.toFixed(2).replace(/^-(?=0\.00$)/, "").replace("-", "−");
/** The greatest absolute number; a loop, since a long line has more numbers than a call takes arguments. */
const largest = (values, least = 0) => {
  let most = least;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
};
const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

const picture = array(facts.picture);
const [height, width] = picture.shape;
const sliceCount = facts.slices.features.shape[0];
const inkAt = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : facts.ink[picture.raw[y * width + x]]);

// The one chosen place. A panel changes it with `choose`, and is told of every change by `follow`.
const chosen = { letter: facts.letters.length ? 0 : -1, slice: 0 };
const followers = [];
function choose(part) {
  Object.assign(chosen, part);
  if ("letter" in part && part.letter >= 0) {
    chosen.slice = Math.floor(facts.letters[part.letter].peak / facts.stepsPerSlice);
  }
  for (const follower of followers) follower(part);
}
function follow(follower) {
  followers.push(follower);
}

// Colours come from the style sheet, so that dark and light are decided in one place.
let palette = {};
function readPalette() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["paper", "sheet", "ink", "soft", "rule", "blue", "orange"]) {
    palette[name] = style.getPropertyValue(`--${name}`).trim();
  }
}
readPalette();

function channels(colour) {
  const n = parseInt(colour.slice(1), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}

/** A canvas of one pixel a value; paint(x, y) gives [colour name, strength 0 to 1]. Redrawn when the theme changes. */
const drawings = [];
function raster(columns, rows, paint, label) {
  const canvas = el("canvas", { width: columns, height: rows, role: "img", "aria-label": label });
  canvas.draw = () => {
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(columns, rows);
    const ground = channels(palette.sheet);
    for (let y = 0, i = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, i += 4) {
        const [name, strength] = paint(x, y);
        const colour = channels(palette[name]);
        for (let k = 0; k < 3; k++) pixels.data[i + k] = ground[k] + (colour[k] - ground[k]) * clamp(strength, 0, 1);
        pixels.data[i + 3] = 255;
      }
    }
    context.putImageData(pixels, 0, 0);
  };
  canvas.draw();
  drawings.push(canvas);
  return canvas;
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readPalette();
  for (let i = drawings.length - 1; i >= 0; i--) drawings[i].isConnected ? drawings[i].draw() : drawings.splice(i, 1);
  choose({});
});

/** A part of the picture as it was photographed. */
function photo(left = 0, columns = width, label = "The line image", hide = () => false) {
  const canvas = el("canvas", { className: "photo", width: columns, height, role: "img", "aria-label": label });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(columns, height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < columns; x++, i += 4) {
      const inside = x + left >= 0 && x + left < width;
      const gray = inside && !hide(x, y) ? picture.raw[y * width + x + left] : 255;
      pixels.data.set([gray, gray, gray, 255], i);
    }
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Numbers as squares: filled is positive, hollow negative, and the larger the square the larger the number. */
function squares(values, columns, most, label, side = 7) {
  const rows = Math.ceil(values.length / columns), sharp = 2;
  const canvas = el("canvas", { className: "squares", role: "img", "aria-label": label });
  Object.assign(canvas, { width: columns * side * sharp, height: rows * side * sharp });
  canvas.style.aspectRatio = `${columns} / ${rows}`;
  canvas.style.width = `${columns * side}px`;
  canvas.draw = () => {
    const context = canvas.getContext("2d");
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    context.clearRect(0, 0, columns * side, rows * side);
    values.forEach((value, n) => {
      const size = Math.sqrt(Math.min(1, Math.abs(value) / most)) * (side - 1);
      if (size < 0.8) return;
      const x = (n % columns) * side + (side - size) / 2, y = Math.floor(n / columns) * side + (side - size) / 2;
      if (value > 0) {
        context.fillStyle = palette.blue;
        context.fillRect(x, y, size, size);
      } else {
        context.strokeStyle = palette.orange;
        context.strokeRect(x + 0.5, y + 0.5, Math.max(size - 1, 0.6), Math.max(size - 1, 0.6));
      }
    });
  };
  canvas.draw();
  drawings.push(canvas);
  return canvas;
}

/** Rows that lie as wide as the line, one under the other, and scroll together where the screen is narrow. */
function strip(host, pick) {
  const inner = el("div", { className: "inner" });
  inner.style.setProperty("--width", width);
  host.classList.add("strip");
  host.append(inner);
  if (pick) {
    inner.addEventListener("click", (event) => {
      const box = inner.getBoundingClientRect();
      pick(((event.clientX - box.left) / box.width) * width, event);
    });
  }
  return {
    inner,
    row(canvas, pixels) {
      if (pixels) canvas.style.height = `${pixels}px`;
      inner.append(canvas);
      return canvas;
    },
    mark(kind = "") {
      const mark = el("div", { className: `mark ${kind}`, "aria-hidden": "true" });
      inner.append(mark);
      return (left, right, scroll = true) => {
        mark.style.left = `calc(var(--zoom) * ${left}px)`;
        mark.style.width = `calc(var(--zoom) * ${right - left}px)`;
        const zoom = inner.clientWidth / width, middle = (zoom * (left + right)) / 2;
        const off = middle < host.scrollLeft + 40 || middle > host.scrollLeft + host.clientWidth - 40;
        if (scroll && off) host.scrollTo({ left: middle - host.clientWidth / 2, behavior: calm ? "auto" : "smooth" });
      };
    },
  };
}

/** A labelled range with a step back and a step on. */
function ranged(host, label, most, changed, spoken = (v) => String(v + 1)) {
  const input = el("input", { type: "range", min: 0, max: most, step: 1, value: 0, "aria-label": label });
  const told = el("output", {});
  const step = (by) => () => set(clamp(Number(input.value) + by, 0, most), true);
  function set(value, tell = false) {
    input.value = value;
    told.textContent = spoken(Number(input.value));
    input.setAttribute("aria-valuetext", told.textContent);
    if (tell) changed(Number(input.value));
  }
  input.addEventListener("input", () => set(Number(input.value), true));
  host.append(
    el("div", { className: "ranged" }, el("span", { className: "label" }, label),
      el("button", { type: "button", "aria-label": `${label}: one back`, onclick: step(-1) }, "◀"), input,
      el("button", { type: "button", "aria-label": `${label}: one on`, onclick: step(1) }, "▶"), told));
  set(0);
  return set;
}

/** A button that runs something again and again until it says it is done, or is pressed once more. */
function player(label, tick, pause) {
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = label;
    button.setAttribute("aria-pressed", "false");
  };
  const start = () => {
    timer = setInterval(() => tick() || stop(), pause);
    button.textContent = "Pause";
    button.setAttribute("aria-pressed", "true");
  };
  const button = el("button", { type: "button", className: "play", "aria-pressed": "false", onclick: () => (timer ? stop() : start()) }, label);
  return button;
}

function fit() {
  const space = $("measure").clientWidth;
  document.documentElement.style.setProperty("--zoom", clamp(space / width, 1, 2.2));
}
fit();
addEventListener("resize", fit);
