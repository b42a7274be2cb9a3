// Curves that are laid over each other, as SVG in the colours of the page.
// As the figures of marsseg: colours that are distinct with any colour vision; more lines get dashes.
const COLOURS = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#b59b00", "#56b4e9", "#7f7f7f"];
const DASHES = ["", "7 4", "2 3"];
// Of these curves, values that span a factor like this have a logarithmic axis. Scores never have one.
const WIDE = /^((val_)?loss|weight_|semi$|learning_rate$)/;
const LOG_SPAN = 20;
const RATE_LOG_SPAN = 2; // schedules multiply the rate, so its steps are equal on a logarithmic axis
const NAMED = 8; // so many names are read out for a plot

const element = (id) => document.getElementById(id);
const make = (name, properties, ...children) => {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
};
const svg = (name, attributes, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
  node.append(...children);
  return node;
};
const stroke = (style) => ({
  stroke: COLOURS[style % COLOURS.length],
  "stroke-dasharray": DASHES[Math.floor(style / COLOURS.length) % DASHES.length],
  "stroke-width": 2,
  fill: "none",
});

// Each line has a name, a style (lines of one group have the same), a group, and its values by epoch, or null.
function showCurves(place, legend, lines, curve) {
  const draw = () => place.replaceChildren(plot(lines, curve, Math.max(300, Math.min(960, place.clientWidth))));
  window.onresize = draw; // the text keeps its size in a window of any width
  draw();
  const styles = new Map(lines.map((line) => [line.group, line.style]));
  legend.replaceChildren(
    ...[...styles].map(([group, style]) => {
      const sample = svg("svg", { width: 28, height: 10, "aria-hidden": "true" });
      sample.append(svg("line", { x1: 0, x2: 28, y1: 5, y2: 5, ...stroke(style) }));
      return make("li", {}, sample, group);
    }),
  );
}

function plot(lines, curve, width) {
  const [height, left, bottom, top, right] = [340, 60, 40, 24, 15];
  const drawn = lines.map((line) => (line.values || []).map((value, epoch) => [epoch + 1, value]));
  const values = drawn.flat().filter(([, value]) => value !== null);
  const groups = [...new Set(lines.map((line) => line.group))];
  const more = groups.length > NAMED ? ` and ${groups.length - NAMED} more` : "";
  const label = `${curve} by epoch: ${groups.slice(0, NAMED).join(", ")}${more}`;
  const picture = svg("svg", { width, height, role: "img", "aria-label": label });
  if (!values.length) {
    picture.append(svg("text", { x: 0, y: height / 2 }, lines.length ? "None of these runs has this curve." : "No run is chosen."));
    return picture;
  }
  const last = values.reduce((most, [epoch]) => Math.max(most, epoch), 2);
  const least = values.reduce((low, [, value]) => Math.min(low, value), Infinity);
  const most = values.reduce((high, [, value]) => Math.max(high, value), -Infinity);
  const span = curve === "learning_rate" ? RATE_LOG_SPAN : LOG_SPAN;
  const logarithmic = WIDE.test(curve) && least > 0 && most >= span * least;
  const [scaled, read] = logarithmic ? [Math.log10, (value) => 10 ** value] : [(value) => value, (value) => value];
  let [low, high] = [scaled(least), scaled(most)];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const x = (epoch) => left + ((epoch - 1) / (last - 1)) * (width - left - right);
  const y = (value) => top + ((high - value) / (high - low)) * (height - top - bottom);
  for (let step = 0; step <= 4; step += 1) {
    const value = low + ((high - low) * step) / 4;
    picture.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
    const text = Number(read(value).toPrecision(3)).toString();
    picture.append(svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, text));
  }
  const every = Math.ceil(last / (width / 90));
  for (let epoch = 1; epoch <= last; epoch += every) {
    picture.append(svg("text", { x: x(epoch), y: height - bottom + 18, "text-anchor": "middle" }, String(epoch)));
  }
  if (logarithmic) picture.append(svg("text", { x: left, y: 14 }, "logarithmic scale"));
  picture.append(svg("text", { x: (left + width) / 2, y: height - 5, "text-anchor": "middle" }, "epoch"));
  drawn.forEach((line, position) => {
    const points = line.filter(([, value]) => value !== null).map(([epoch, value]) => [x(epoch), y(scaled(value))]);
    const { style, name } = lines[position];
    const node = svg("polyline", { points: points.join(" "), ...stroke(style) }, svg("title", {}, name));
    picture.append(node);
    if (points.length === 1) {
      picture.append(svg("circle", { cx: points[0][0], cy: points[0][1], r: 4, fill: stroke(style).stroke }));
    }
  });
  return picture;
}
