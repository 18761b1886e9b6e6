"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const by = id => document.getElementById(id);
  const viewer = by("viewer"), traces = by("traces"), spectrum = by("spectrum");
  const select = by("motion"), same = by("same");
  const state = { suite: 0, motion: 0 };
  const suite = () => data.suites[state.suite];

  // -- values ------------------------------------------------------------------------------------

  /** 16-bit integers of a motion, decoded when it is first looked at. */
  function decoded(m) {
    if (!m.values) {
      const text = atob(m.blob), view = new DataView(new ArrayBuffer(text.length));
      for (let i = 0; i < text.length; i++) view.setUint8(i, text.charCodeAt(i));
      m.values = new Float32Array(text.length / 2);
      for (let i = 0; i < m.values.length; i++) m.values[i] = view.getInt16(2 * i, true) / 32767;
      m.blob = null;
    }
    return m.values;
  }
  /** Time history of a quantity and component, as shares of its peak. */
  function history(m, quantity, component) {
    const k = quantity * data.components.length + component;
    return decoded(m).subarray(k * m.points, (k + 1) * m.points);
  }
  function buildUp(m, component) {
    const start = data.quantities.length * data.components.length * m.points;
    return decoded(m).subarray(start + component * m.husid_points, start + (component + 1) * m.husid_points);
  }
  /** A value beside its peak: no digits below a thousandth of it. */
  function near(x, peak) {
    return Math.abs(x) < 1e-3 * peak ? "0" : short(x);
  }
  /** Three digits, plain. */
  function short(x) {
    if (x === 0) return "0";
    if (Math.abs(x) >= 1e5 || Math.abs(x) < 1e-4) return x.toExponential(1).replace("-", "−");
    const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(x))));
    return x.toFixed(Math.min(digits, 6)).replace("-", "−");
  }
  function ticks(low, high, wanted) {
    const raw = (high - low) / Math.max(wanted, 1), power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= raw * 0.999);
    const out = [];
    for (let k = Math.ceil(low / step); k * step <= high * 1.0001; k++) out.push(+(k * step).toPrecision(6));
    return out;
  }

  // -- drawing -----------------------------------------------------------------------------------

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const get = name => style.getPropertyValue(name).trim();
    return { text: get("--text"), soft: get("--soft"), line: get("--line"), suite: get("--suite"),
             chosen: get("--chosen"), other: get("--other"), faint: get("--faint"), band: get("--band") };
  }
  function prepared(canvas, height) {
    const width = canvas.parentElement.clientWidth, ratio = Math.max(window.devicePixelRatio || 1, 1);
    canvas.style.height = height + "px";
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const c = canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    c.font = "12px system-ui, sans-serif";
    c.lineJoin = "round";
    return [c, width];
  }
  function line(c, x0, y0, x1, y1) { c.beginPath(); c.moveTo(x0, y0); c.lineTo(x1, y1); c.stroke(); }
  function curve(c, xs, ys) {
    c.beginPath();
    for (let i = 0; i < xs.length; i++) i ? c.lineTo(xs[i], ys[i]) : c.moveTo(xs[i], ys[i]);
    c.stroke();
  }
  /** A time history: each column of the screen from its lowest to its highest value. */
  function outline(c, values, x, y) {
    c.beginPath();
    for (let j = 0; j < values.length;) {
      const column = Math.floor(x(j)), first = values[j];
      let low = first, high = first, last = first;
      for (; j < values.length && Math.floor(x(j)) === column; j++) {
        last = values[j];
        low = Math.min(low, last);
        high = Math.max(high, last);
      }
      for (const v of [first, low, high, last]) c.lineTo(column + 0.5, y(v));
    }
    c.stroke();
  }
  /** Colours of the components: the horizontals, then the vertical. */
  function componentColours(k) {
    const n = data.components.length;
    return data.components.map((_, i) => (n === 3 && i === 2) ? k.other : i === 0 ? k.chosen : k.suite);
  }

  function drawTraces() {
    const m = suite().motions[state.motion], k = colours(), all = suite().motions;
    const n = data.components.length, inks = componentColours(k);
    const narrow = traces.parentElement.clientWidth < 480;
    const strip = narrow ? 46 : 58, head = 22, foot = 34, tall = narrow ? 96 : 116;
    const height = data.quantities.length * (head + n * strip) + head + tall + foot;
    const [c, width] = prepared(traces, height);
    const left = 34, right = width - 8;
    const end = same.checked ? Math.max(...all.map(a => a.duration)) : m.duration;
    const x = t => left + (right - left) * t / end;
    const marks = ticks(0, end, narrow ? 5 : 9), bottom = height - foot;
    c.strokeStyle = k.line;
    c.lineWidth = 1;
    for (const t of marks) line(c, x(t), head, x(t), bottom);
    let top = 0;
    data.quantities.forEach(([name, unit], q) => {
      const peak = Math.max(...(same.checked ? all : [m]).flatMap(a => a.peaks[q])) || 1;
      c.fillStyle = k.text;
      c.font = "600 12px system-ui, sans-serif";
      c.textAlign = "left";
      c.fillText(`${name[0].toUpperCase()}${name.slice(1)}, ${unit}`, 2, top + 15);
      top += head;
      for (let i = 0; i < n; i++) {
        const middle = top + strip / 2, half = strip / 2 - 3;
        const [first, last] = m.d595[i];
        c.fillStyle = k.band;
        c.fillRect(x(first), top + 1, x(last) - x(first), strip - 2);
        c.strokeStyle = k.line;
        line(c, left, middle, right, middle);
        const values = history(m, q, i), own = m.peaks[q][i] / peak * half;
        const at = j => x(m.duration * j / (values.length - 1)), y = v => middle - own * v;
        c.strokeStyle = inks[i];
        c.lineWidth = 1.2;
        outline(c, values, at, y);
        c.lineWidth = 1;
        const most = values.reduce((best, v, j) => Math.abs(v) > Math.abs(values[best]) ? j : best, 0);
        c.strokeStyle = k.text;
        c.beginPath();
        c.arc(at(most), y(values[most]), 2.6, 0, 7);
        c.stroke();
        c.font = "12px system-ui, sans-serif";
        c.fillStyle = k.soft;
        c.textAlign = "left";
        c.fillText(data.components[i], 2, middle + 4);
        c.textAlign = "right";
        c.fillStyle = k.text;
        c.fillText(short(m.peaks[q][i]), right, top + 11);
        top += strip;
      }
    });
    drawBuildUp(c, m, k, inks, x, left, right, top, head, tall);
    c.fillStyle = k.soft;
    c.textAlign = "center";
    for (const t of marks) c.fillText(String(t), x(t), bottom + 15);
    c.fillText("time (s)", (left + right) / 2, bottom + 30);
    traces.setAttribute("aria-label", `Time histories of ${m.name}: ` + data.quantities.map(([name, unit], q) =>
      `${name} up to ${data.components.map((p, i) => `${p} ${short(m.peaks[q][i])}`).join(", ")} ${unit}`).join("; "));
  }
  function drawBuildUp(c, m, k, inks, x, left, right, top, head, tall) {
    const y = share => top + head + tall - 4 - (tall - 8) * share;
    c.font = "600 12px system-ui, sans-serif";
    c.fillStyle = k.text;
    c.textAlign = "left";
    c.fillText("Arias build-up, %; 5 to 95 % is shaded above", 2, top + 15);
    c.font = "12px system-ui, sans-serif";
    for (const share of [0.05, 0.5, 0.95]) {
      c.strokeStyle = k.line;
      c.setLineDash(share === 0.5 ? [] : [4, 3]);
      line(c, left, y(share), right, y(share));
      c.fillStyle = k.soft;
      c.textAlign = "right";
      c.fillText(String(100 * share), left - 6, y(share) + 4);
    }
    c.setLineDash([]);
    data.components.forEach((name, i) => {
      const values = buildUp(m, i), xs = [], ys = [];
      for (let j = 0; j < values.length; j++) {
        xs.push(x(m.duration * j / (values.length - 1)));
        ys.push(y(values[j]));
      }
      c.strokeStyle = inks[i];
      c.lineWidth = 1.8;
      curve(c, xs, ys);
      c.fillStyle = inks[i];
      m.d595[i].forEach((t, e) => { c.beginPath(); c.arc(x(t), y(e ? 0.95 : 0.05), 3.2, 0, 7); c.fill(); });
      c.textAlign = "right";
      c.fillText(`${name} ${short(m.d595[i][1] - m.d595[i][0])} s`, right - 4, y(0.62) + 16 * i);
    });
    c.lineWidth = 1;
  }

  function drawSpectrum() {
    const s = suite(), k = colours(), mine = s.spectra[state.motion];
    const size = Math.min(spectrum.parentElement.clientWidth, 380);
    const [c, width] = prepared(spectrum, size);
    const left = 46, right = width - 8, top = 24, bottom = size - 36;
    const every = s.spectra.flat().concat(s.target.low, s.target.high).filter(v => v > 0);
    let low = Infinity, high = 0;
    for (const v of every) { low = Math.min(low, v); high = Math.max(high, v); }
    const span = (a, b, v, from, to) => from + (to - from) * (Math.log(v) - Math.log(a)) / (Math.log(b) - Math.log(a));
    const first = s.periods[0], last = s.periods[s.periods.length - 1];
    const x = t => span(first, last, t, left, right), y = v => span(low * 0.9, high * 1.1, v, bottom, top);
    c.strokeStyle = k.line;
    c.fillStyle = k.soft;
    c.textAlign = "center";
    for (const t of [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]) if (t >= first && t <= last) {
      line(c, x(t), top, x(t), bottom);
      c.fillText(String(t), x(t), bottom + 15);
    }
    c.fillText("period (s)", (left + right) / 2, bottom + 31);
    c.textAlign = "right";
    for (let p = -5; p < 3; p++) for (const f of (high / low > 300 ? [1] : [1, 3])) {
      const v = f * 10 ** p;
      if (v > low * 0.9 && v < high * 1.1) {
        line(c, left, y(v), right, y(v));
        c.fillText(String(+v.toPrecision(1)), left - 5, y(v) + 4);
      }
    }
    c.textAlign = "left";
    c.fillStyle = k.text;
    c.font = "600 12px system-ui, sans-serif";
    c.fillText(`SA, g (5 % damping, ${data.component})`, 2, 14);
    c.font = "12px system-ui, sans-serif";
    const plot = (periods, values) => curve(c, periods.map(x), values.map(y));
    c.strokeStyle = k.faint;
    c.globalAlpha = Math.min(1, Math.sqrt(30 / s.spectra.length));
    for (const other of s.spectra) plot(s.periods, other);
    c.globalAlpha = 1;
    c.strokeStyle = k.text;
    c.lineWidth = 1.6;
    plot(s.target.periods, s.target.median);
    c.setLineDash([5, 4]);
    c.lineWidth = 1;
    plot(s.target.periods, s.target.low);
    plot(s.target.periods, s.target.high);
    c.setLineDash([]);
    c.strokeStyle = k.chosen;
    c.lineWidth = 2.2;
    plot(s.periods, mine);
    [[k.chosen, "this motion"], [k.text, "target, ± sigma"], [k.other, "other motions"]].forEach(([ink, said], i) => {
      const at = bottom - 44 + 15 * i;
      c.strokeStyle = ink;
      c.lineWidth = i === 0 ? 2.2 : 1.2;
      line(c, left + 8, at, left + 30, at);
      c.fillStyle = k.text;
      c.textAlign = "left";
      c.fillText(said, left + 36, at + 4);
    });
  }

  /** The row of the table that belongs to the motion, as names and values. */
  function facts() {
    const table = document.querySelector(`#motions .suite[data-suite="${state.suite}"] table`);
    const heads = [...table.tHead.rows[0].cells].map(cell => {
      const unit = cell.querySelector(".kind");
      return [cell.firstChild.textContent, unit ? unit.textContent : ""];
    });
    const cells = [...table.tBodies[0].rows[state.motion].cells].map(cell => cell.textContent);
    return heads.map(([name, unit], i) => [name, cells[i] + (unit ? " " + unit : "")]);
  }
  function drawFacts() {
    const m = suite().motions[state.motion], found = facts();
    const ends = m.ends[m.ends.length - 1].map((v, i) => `${data.components[i]} ${near(v, m.peaks[m.peaks.length - 1][i])}`).join(", ");
    found.push([`displacement at the end`, `${ends} cm`]);
    by("facts").replaceChildren(...found.flatMap(([name, value]) => {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = name;
      dd.textContent = value;
      return [dt, dd];
    }));
    by("said").textContent = found.slice(0, 4).map(pair => pair.join(" ")).join(", ");
  }

  // -- what the user does ------------------------------------------------------------------------

  function draw() { drawTraces(); drawSpectrum(); }
  function show(motion) {
    const n = suite().motions.length;
    state.motion = (motion + n) % n;
    select.value = String(state.motion);
    for (const row of document.querySelectorAll("tr.looked")) row.classList.remove("looked");
    const pick = document.querySelector(`.suite[data-suite="${state.suite}"] .pick[data-motion="${state.motion}"]`);
    if (pick) pick.closest("tr").classList.add("looked");
    draw();
    drawFacts();
  }
  function showSuite(index) {
    state.suite = index;
    for (const part of document.querySelectorAll(".suite")) part.classList.toggle("on", +part.dataset.suite === index);
    const label = document.querySelector(`.choose input[value="${index}"]`)?.closest("label");
    if (label) label.parentElement.scrollLeft = label.offsetLeft - 40;
    select.replaceChildren(...suite().motions.map((m, i) => new Option(`${m.name} (${i + 1} of ${suite().motions.length})`, i)));
    show(0);
  }

  document.documentElement.classList.add("scripted");
  viewer.hidden = false;
  for (const fieldset of document.querySelectorAll(".choose")) fieldset.hidden = false;
  by("previous").addEventListener("click", () => show(state.motion - 1));
  by("next").addEventListener("click", () => show(state.motion + 1));
  select.addEventListener("change", () => show(+select.value));
  same.addEventListener("change", draw);
  viewer.addEventListener("keydown", event => {
    if (event.target === select || event.target === same || event.ctrlKey || event.altKey || event.metaKey) return;
    const to = { ArrowLeft: state.motion - 1, ArrowRight: state.motion + 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
  for (const pick of document.querySelectorAll(".pick")) pick.addEventListener("click", () => {
    show(+pick.dataset.motion);
    viewer.scrollIntoView({ block: "start" });
    viewer.focus({ preventScroll: true });
  });
  for (const choice of document.querySelectorAll(".choose input"))
    choice.addEventListener("change", () => showSuite(+choice.value));
  let from = null;
  viewer.addEventListener("touchstart", event => { from = event.touches.length === 1 ? event.touches[0] : null; }, { passive: true });
  viewer.addEventListener("touchend", event => {
    if (!from || !(event.target instanceof HTMLCanvasElement)) return;
    const to = event.changedTouches[0], across = to.clientX - from.clientX, down = to.clientY - from.clientY;
    if (Math.abs(across) > 40 && Math.abs(across) > 2 * Math.abs(down)) show(state.motion + (across < 0 ? 1 : -1));
    from = null;
  }, { passive: true });
  let width = 0;
  new ResizeObserver(() => {
    if (viewer.clientWidth !== width) { width = viewer.clientWidth; draw(); }
  }).observe(viewer);
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", draw);
  const checked = document.querySelector(".choose input:checked");
  showSuite(checked ? +checked.value : 0);
})();
