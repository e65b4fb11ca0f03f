// Context decides; saliency; and the reading as a row of letters to choose from.

const letters = facts.letters;
const cropOf = (letter, room = 12) => photo(Math.round(letter.left) - room, Math.round(letter.right - letter.left) + 2 * room, `Where ${said(letter.grapheme)} was read`);

/** The reading as buttons; one of them is in the order of the tab key, the arrow keys lead to the others. */
function letterRow(host, label) {
  const buttons = letters.map((letter, n) => el("button", { type: "button", className: letter.grapheme === " " ? "space" : "", "aria-label": `${said(letter.grapheme)}, letter ${n + 1}`,
    onclick: () => choose({ letter: n }) }, shown(letter.grapheme)));
  host.classList.add("letters");
  host.setAttribute("role", "group");
  host.setAttribute("aria-label", label);
  host.append(...buttons);
  host.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const next = clamp(chosen.letter + by, 0, letters.length - 1);
    choose({ letter: next });
    buttons[next].focus();
  });
  follow(() => buttons.forEach((button, n) => {
    button.setAttribute("aria-pressed", String(n === chosen.letter));
    button.tabIndex = n === Math.max(chosen.letter, 0) ? 0 : -1;
  }));
}

const guessBar = ([grapheme, posterior], kind = "") => {
  const fill = el("i", {});
  fill.style.width = `${100 * posterior}%`;
  return el("span", { className: `guess ${kind}` }, el("b", {}, shown(grapheme)), el("span", { className: "bar" }, fill), el("span", { className: "count" }, percent(posterior)));
};

// Context decides
function contextCards() {
  const only = $("only-changed").checked;
  const cards = letters.map((letter, n) => [letter, n]).filter(([letter]) => letter.changes || !only).map(([letter, n]) => {
    const final = letter.readings[2][0][0];
    const guess = ([grapheme, posterior], tag) => [el(tag, {}, shown(grapheme)), el("small", {}, percent(posterior))];
    const cells = letter.readings.map((guesses) => el("td", { className: guesses[0][0] === final ? "" : "other" },
      el("div", {}, ...guess(guesses[0], "b")), el("div", { className: "then" }, ...guess(guesses[1], "span"))));
    const flag = [letter.mistaken ? "another letter" : letter.changes ? "not seen" : "", letter.grapheme === final ? "" : `decoder: ${shown(letter.grapheme)}`];
    return el("tr", { className: letter.changes ? "changed" : "" }, el("td", {}, el("button", { type: "button", "aria-label": `Choose ${said(letter.grapheme)}, letter ${n + 1}`, onclick: () => choose({ letter: n }) }, cropOf(letter))), ...cells,
      el("td", { className: "flag" }, flag.filter(Boolean).join("; ")));
  });
  $("context-rows").replaceChildren(...cards);
  $("context-empty").hidden = cards.length > 0;
}
$("only-changed").addEventListener("change", contextCards);
contextCards();

// Saliency
letterRow($("saliency-letters"), "Choose a letter");
let painted = false;
function showSaliency() {
  const letter = letters[chosen.letter];
  if (!letter) return;
  const { left, hidden, posterior, random } = letter.saliency, weights = array(letter.saliency.weights), mask = array(letter.saliency.mask);
  const [rows, columns] = weights.shape, most = largest(weights.raw, 1);
  const before = photo(left, columns, `Around ${said(letter.grapheme)}`, (x, y) => painted && mask.raw[y * columns + x]);
  const carried = raster(columns, rows, (x, y) => {
    const i = y * columns + x, weight = weights.raw[i] / most, ink = inkAt(x + left, y);
    if (Math.abs(weight) < 0.04) return ["soft", 0.35 * ink];
    return weight < 0 ? ["orange", 0.5 * Math.sqrt(-weight)] : ["blue", 0.35 + 0.65 * Math.sqrt(weight)];
  }, `Pixels that spoke for ${said(letter.grapheme)}`);
  const frame = () => {
    const node = el("span", { className: "frame", "aria-hidden": "true" });
    Object.assign(node.style, { left: `${(100 * (letter.left - left)) / columns}%`, width: `${(100 * (letter.right - letter.left)) / columns}%`, top: 0, height: "100%" });
    return node;
  };
  $("saliency-view").replaceChildren(
    el("figure", {}, el("span", { className: "crop" }, before, frame()), el("figcaption", {}, painted ? `The line with the ${hidden} pixels painted over` : "The line; the frame holds the time steps nearest to the letter")),
    el("figure", {}, el("span", { className: "crop" }, carried, frame()), el("figcaption", {}, "Strong blue spoke for the letter, pale orange against it, gray did not matter")));
  const bar = (name, p) => el("div", { className: "proof" }, el("span", {}, name), guessBar([letter.grapheme, p]));
  $("saliency-proof").replaceChildren(bar("as read", letter.posterior), bar(`without the ${hidden} pixels named`, posterior), bar(`without ${hidden} other pixels of ink, drawn by lot`, random));
}
$("paint").addEventListener("click", () => {
  painted = !painted;
  $("paint").setAttribute("aria-pressed", String(painted));
  showSaliency();
});
follow(showSaliency);
