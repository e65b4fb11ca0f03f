// From slices to text: posteriors, the best path, merging and dropping, letter boxes, runners-up.

const posteriors = array(facts.posteriors);
const [steps, classCount] = posteriors.shape;
const stepPixels = (t) => [(t * facts.sliceWidth) / facts.stepsPerSlice, Math.min(((t + 1) * facts.sliceWidth) / facts.stepsPerSlice, width)];
const textStrip = strip($("text-strip"), (x) => {
  const near = letters.map((letter, n) => [Math.abs((letter.left + letter.right) / 2 - x), n]).sort((a, b) => a[0] - b[0])[0];
  if (near) choose({ letter: near[1] });
});
textStrip.row(photo());
letters.forEach((letter) => {
  const box = el("div", { className: letter.grapheme === " " ? "box space" : "box", "aria-hidden": "true" });
  box.style.left = `calc(var(--zoom) * ${letter.left}px)`;
  box.style.width = `calc(var(--zoom) * ${letter.right - letter.left}px)`;
  box.style.height = `calc(var(--zoom) * ${height}px)`;
  textStrip.inner.append(box);
});
const written = el("div", { className: "written", "aria-hidden": "true" }, ...letters.map((letter) => {
  const name = el("span", {}, shown(letter.grapheme));
  name.style.left = `calc(var(--zoom) * ${(letter.left + letter.right) / 2}px)`;
  return name;
}));
textStrip.inner.append(written);
const heat = raster(steps, classCount, (x, y) => [y ? "ink" : "soft", posteriors.at(x * classCount + y) * (y ? 1 : 0.55)], "Posteriors: time steps across, graphemes down");
heat.className = "map posteriors";
const names = el("div", { className: "classes", "aria-hidden": "true" }, ...facts.classes.map((name) => el("span", {}, shown(name))));
textStrip.inner.append(el("div", { className: "heat" }, names, heat));
heat.style.height = names.style.height = `${13 * classCount}px`;
const textMark = textStrip.mark("tall");

// The best path, symbol by symbol; what merging and dropping takes away shrinks to nothing.
const symbols = facts.path.map((grapheme, t) => el("span", {
  className: [grapheme === "" ? "blank" : "", t && facts.path[t - 1] === grapheme ? "repeat" : ""].join(" "),
}, grapheme === "" ? "·" : shown(grapheme)));
$("path").append(...symbols);
const stages = [
  ["path", "Best path", `The likeliest class at each of the ${steps} time steps; a dot is the blank, “nothing new here”.`],
  ["merged", "Merge repeats", "Equal neighbours are one and the same letter, seen at several time steps."],
  ["dropped", "Drop blanks", "What is left is the text. A blank between two equal letters has kept them apart."],
];
let stage = 0;
function showStage(n) {
  stage = n;
  $("path").dataset.stage = stages[n][0];
  $("path-words").textContent = stages[n][2];
  [...$("stages").children].forEach((button, i) => i < stages.length && button.setAttribute("aria-pressed", String(i === n)));
}
$("stages").append(...stages.map(([, label], n) => el("button", { type: "button", "aria-pressed": "false", onclick: () => showStage(n) }, `${n + 1}. ${label}`)));
showStage(0);

letterRow($("text-letters"), "Choose a letter");
function showLetter() {
  const letter = letters[chosen.letter];
  if (!letter) return;
  textMark(letter.left, letter.right);
  [...written.children].forEach((name, n) => name.classList.toggle("chosen", n === chosen.letter));
  symbols.forEach((symbol, t) => symbol.classList.toggle("chosen", t >= letter.start && t < letter.end));
  $("runners-up").replaceChildren(
    el("p", { className: "caption" }, `“${said(letter.grapheme)}”: time step${letter.end - letter.start > 1 ? `s ${letter.start + 1} to ${letter.end}, surest at` : ""} ${letter.peak + 1}. Its posterior there, and the runners-up:`),
    guessBar([letter.grapheme, letter.posterior], "first"), ...letter.others.map((other) => guessBar(other)));
}
follow(showLetter);

// What the decoder changed, step by step; underlined is what differs from the row above.
const texts = facts.decoded.map((parts) => parts.map(([part]) => part).join(""));
const agreed = new Set(texts).size === 1;
$("decoder-words").textContent = agreed
  ? "Best path, beam search and final text agree: the decoder changed nothing."
  : "A beam search adds up all paths that spell the same text; a language model, where there is one, also weighs which letters follow each other. Underlined is what differs from the row above.";
if (!agreed) {
  const rowNames = ["best path", "beam alone", "final text"];
  $("decoded").append(...facts.decoded.map((parts, n) => el("div", { className: "decoded" }, el("span", { className: "label" }, rowNames[n]),
    el("span", { className: "reading" }, ...parts.map(([part, differs]) => (differs ? el("u", {}, part || "‸") : part))))));
}

choose({ letter: chosen.letter });
document.documentElement.dataset.ready = "true";
