"use strict";
const { runs, columns, headline } = JSON.parse(document.getElementById("data").textContent);
// As the figures of marsseg: colours that are distinct with any colour vision; more runs get dashes.
const COLOURS = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#b59b00", "#56b4e9", "#7f7f7f"];
const DASHES = ["", "7 4", "2 3"];
const FIRST = 3; // runs that are chosen when the page opens

const element = (id) => document.getElementById(id);
const make = (name, properties, ...children) => {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
};
const score = (subset) => (run) => (run.scores[subset] || {})[headline] ?? null;
const number = (digits) => (value) => (value === null ? "–" : value.toFixed(digits));

// Each column: its heading, the value of a run, and for numbers how the value is shown.
const table = [
  ["run", (run) => run.name],
  [`test ${headline}`, score("test"), number(4)],
  [`validation ${headline}`, score("validation"), number(4)],
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
    const content = position === 0 && run.report ? make("a", { href: encodeURI(run.report) }, text) : text;
    row.append(make("td", { className: table[position][2] ? "number" : "" }, content));
  });
  const entry = { run, row, box, text: texts.join(" ").toLowerCase() };
  box.addEventListener("change", () => choose(entry, box.checked));
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
  element("count").textContent = `${count} of ${runs.length} runs`;
  [...element("head").children].slice(1).forEach((cell, position) => {
    const direction = state.rising ? "ascending" : "descending";
    cell.setAttribute("aria-sort", position === state.sorted ? direction : "none");
  });
}

function choose(entry, chosen) {
  entry.box.checked = chosen;
  entry.row.classList.toggle("chosen", chosen);
  state.chosen[chosen ? "add" : "delete"](entry.run);
  showChosen();
}

function showChosen() {
  const chosen = [...state.chosen];
  const style = (position) => [
    COLOURS[position % COLOURS.length],
    DASHES[Math.floor(position / COLOURS.length) % DASHES.length],
  ];
  element("plot").replaceChildren(plot(chosen, style));
  element("legend").replaceChildren(
    ...chosen.map((run, position) => {
      const swatch = make("span", { className: "swatch" });
      swatch.style.background = style(position)[0];
      return make("li", {}, swatch, run.name);
    }),
  );
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
          const image = make("img", { loading: "lazy", src: encodeURI(run.tiles), alt: `tiles of ${run.name}` });
          return make("figure", {}, image, make("figcaption", {}, run.name));
        })
      : ["None of the chosen runs has a picture of tiles."]),
  );
}

function plot(chosen, style) {
  const svg = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const [width, height, left, bottom, top, right] = [900, 340, 60, 40, 15, 15];
  const curve = element("curve").value;
  const lines = chosen.map((run) => (run.curves[curve] || []).map((value, epoch) => [epoch + 1, value]));
  const values = lines.flat().filter(([, value]) => value !== null);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${curve} by epoch` });
  if (!values.length) {
    picture.append(svg("text", { x: left, y: height / 2 }, "None of the chosen runs has this curve."));
    return picture;
  }
  const last = Math.max(2, ...values.map(([epoch]) => epoch));
  let [low, high] = [Math.min(...values.map((each) => each[1])), Math.max(...values.map((each) => each[1]))];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const x = (epoch) => left + ((epoch - 1) / (last - 1)) * (width - left - right);
  const y = (value) => top + ((high - value) / (high - low)) * (height - top - bottom);
  for (let step = 0; step <= 4; step += 1) {
    const value = low + ((high - low) * step) / 4;
    picture.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
    picture.append(svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, value.toPrecision(3)));
  }
  const every = Math.ceil(last / 10);
  for (let epoch = 1; epoch <= last; epoch += every) {
    picture.append(svg("text", { x: x(epoch), y: height - bottom + 18, "text-anchor": "middle" }, String(epoch)));
  }
  picture.append(svg("text", { x: (left + width) / 2, y: height - 5, "text-anchor": "middle" }, "epoch"));
  lines.forEach((line, position) => {
    const [stroke, dashes] = style(position);
    const points = line.filter(([, value]) => value !== null).map(([epoch, value]) => `${x(epoch)},${y(value)}`);
    const attributes = { points: points.join(" "), fill: "none", stroke, "stroke-width": 2, "stroke-dasharray": dashes };
    const drawn = svg("polyline", attributes);
    drawn.append(svg("title", {}, chosen[position].name));
    picture.append(drawn);
    if (points.length === 1) {
      const [cx, cy] = points[0].split(",");
      picture.append(svg("circle", { cx, cy, r: 4, fill: stroke }));
    }
  });
  return picture;
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
element("filter").addEventListener("input", showRows);
showRows();
rows.slice(0, FIRST).forEach((entry) => choose(entry, true));
showChosen();
