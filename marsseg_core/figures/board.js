const { runs, columns, headline, shared } = JSON.parse(document.getElementById("data").textContent);
const FIRST = 3; // runs that are chosen when the page opens
const MOST = 40; // more curves cannot be told apart, and each costs time

const score = (subset) => (run) => (run.scores[subset] || {})[headline] ?? null;
const number = (digits) => (value) => (value === null ? "–" : value.toFixed(digits));

// Each column: its heading, the value of a run, and for numbers how the value is shown.
const table = [
  ["run", (run) => run.name],
  [`test ${headline}`, score("test"), number(4)],
  [`validation ${headline}`, score("validation"), number(4)],
  ...(shared ? [] : [["scored on", (run) => run.scored_on]]),
  ...columns.map((name) => [name, (run) => run.settings[name] ?? ""]),
  ["epochs", (run) => run.epochs, number(0)],
  ["minutes", (run) => run.minutes, number(1)],
  ["status", (run) => run.status],
];
const state = { sorted: 1, rising: false, chosen: new Set() };

// Rows are made once; sorting and filtering only move and hide them.
const rows = runs.map((run) => {
  const box = make("input", { type: "checkbox" });
  box.setAttribute("aria-label", `choose ${run.name}`);
  const row = make("tr", {}, make("td", {}, box));
  const texts = table.map(([, value, shown]) => (shown ? shown(value(run)) : value(run)));
  texts.forEach((text, position) => {
    const content = position === 0 && run.report ? make("a", { href: run.report }, text) : text;
    row.append(make("td", { className: table[position][2] ? "number" : "" }, content));
  });
  const entry = { run, row, box, text: texts.join(" ").toLowerCase() };
  box.addEventListener("change", () => {
    choose(entry, box.checked);
    showChosen();
  });
  return entry;
});

function order(a, b) {
  const value = table[state.sorted][1];
  const [x, y] = [value(a.run), value(b.run)];
  if (x === y) return 0;
  if (x === null || y === null) return x === null ? 1 : -1; // runs without a value are the last, either way
  const rises = typeof x === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
  return state.rising ? rises : -rises;
}

function showRows() {
  const words = element("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  rows.sort(order);
  for (const entry of rows) {
    entry.row.hidden = !words.every((word) => entry.text.includes(word));
    count += entry.row.hidden ? 0 : 1;
  }
  element("rows").replaceChildren(...rows.map((entry) => entry.row));
  element("count").textContent = `${count} of ${runs.length} run${runs.length === 1 ? "" : "s"}`;
  [...element("head").children].slice(1).forEach((cell, position) => {
    const direction = state.rising ? "ascending" : "descending";
    cell.setAttribute("aria-sort", position === state.sorted ? direction : "none");
  });
}

function choose(entry, chosen) {
  entry.box.checked = chosen;
  entry.row.classList.toggle("chosen", chosen);
  state.chosen[chosen ? "add" : "delete"](entry.run);
}

function showChosen() {
  const chosen = [...state.chosen].slice(0, MOST);
  const more = state.chosen.size > MOST;
  element("many").textContent = more ? `${state.chosen.size} runs are chosen; the first ${MOST} are shown.` : "";
  const curve = element("curve").value;
  const lines = chosen.map((run, style) => ({ name: run.name, group: run.name, style, values: run.curves[curve] }));
  showCurves(element("plot"), element("legend"), lines, curve);
  const names = new Set(chosen.flatMap((run) => Object.keys(run.settings)));
  const differing = [...names].filter((name) => new Set(chosen.map((run) => run.settings[name])).size > 1);
  const head = make("tr", {}, ...["setting", ...chosen.map((run) => run.name)].map((text) => make("th", {}, text)));
  const body = differing.map((name) =>
    make("tr", {}, ...[name, ...chosen.map((run) => run.settings[name] ?? "–")].map((text) => make("td", {}, text))),
  );
  element("differences").replaceChildren(
    differing.length ? make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)) : "None.",
  );
  const pictures = chosen.filter((run) => run.tiles);
  element("tiles").replaceChildren(
    ...(pictures.length
      ? pictures.map((run) => {
          const image = make("img", { loading: "lazy", src: run.tiles, alt: `tiles of ${run.name}` });
          return make("figure", {}, image, make("figcaption", {}, run.name));
        })
      : ["None of the chosen runs has a picture of tiles."]),
  );
}

element("head").append(make("th", {}, make("span", {}, "")));
table.forEach(([heading, , shown], position) => {
  const button = make("button", { type: "button" }, heading);
  button.addEventListener("click", () => {
    state.rising = state.sorted === position ? !state.rising : !table[position][2];
    state.sorted = position;
    showRows();
  });
  element("head").append(make("th", { scope: "col", className: shown ? "number" : "" }, button));
});
const curves = [...new Set(runs.flatMap((run) => Object.keys(run.curves)))];
element("curve").append(...curves.map((name) => make("option", { selected: name === `val_${headline}` }, name)));
element("curve").addEventListener("change", showChosen);
element("none").addEventListener("click", () => {
  rows.forEach((entry) => choose(entry, false));
  showChosen();
});
element("filter").addEventListener("input", showRows);
showRows();
rows.slice(0, FIRST).forEach((entry) => choose(entry, true));
showChosen();
