// Walks through one result: slices with what was found over them, and two bullseyes. No library, nothing fetched.
// const view = ScarViewer(element, data); view.slice(3); view.step(1); view.toggle("overlay"); see data.py for the data.
"use strict";
(function () {
  const SVG = "http://www.w3.org/2000/svg";
  let views = 0;

  function make(tag, attributes, ...children) {
    const svg = ["svg", "g", "path", "image", "text", "circle", "line", "rect", "pattern", "defs", "title"].includes(tag);
    const element = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  // Ring (0 cap .. 3 basal), first and last angle of a segment: 0 = lateral, counter-clockwise, anterior up.
  function span(number) {
    if (number === 17) return [0, 0, 360];
    if (number >= 13) return [1, 45 + 90 * (number - 13), 135 + 90 * (number - 13)];
    const start = (60 + 60 * ((number - 1) % 6)) % 360;
    return [number <= 6 ? 3 : 2, start, start + 60];
  }

  const EDGES = [20, 46.5, 73.5, 100];

  function at(radius, degrees) {
    const turn = (degrees * Math.PI) / 180;
    return [radius * Math.cos(turn), -radius * Math.sin(turn)];
  }

  function wedge(number) {
    const [ring, start, end] = span(number);
    const outer = EDGES[ring];
    if (ring === 0) return `M${outer} 0A${outer} ${outer} 0 1 0 ${-outer} 0A${outer} ${outer} 0 1 0 ${outer} 0Z`;
    const inner = EDGES[ring - 1];
    const [a, b, c, d] = [at(inner, start), at(outer, start), at(outer, end), at(inner, end)];
    return `M${a}L${b}A${outer} ${outer} 0 0 0 ${c}L${d}A${inner} ${inner} 0 0 1 ${a}Z`;
  }

  function middle(number) {
    const [ring, start, end] = span(number);
    return ring === 0 ? [0, 0] : at((EDGES[ring] + EDGES[ring - 1]) / 2, (start + end) / 2);
  }

  function dark(code) {
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(code.slice(i, i + 2), 16) / 255);
    return 0.2126 * r ** 2.2 + 0.7152 * g ** 2.2 + 0.0722 * b ** 2.2 < 0.18;
  }

  const VERDICTS = { agree: "✓", disagree: "✗", "ecg cannot tell": "?" };
  const WHAT = {
    scar: { title: "Scar, % of segment", value: (s) => s.scar, unit: "% of the segment" },
    alone: { title: "Scar, images alone, % of segment", value: (s) => s.alone, unit: "% of the segment" },
    ecg: { title: "ECG alone, %: no finding", value: (s) => s.ecg, unit: "% by the ECG alone, no finding", marks: true },
    transmurality: { title: "Mean transmurality, % of wall", value: (s) => s.transmurality, unit: "% of the wall's thickness" },
  };

  function bullseye(data, what, chosen, choose) {
    const { title, value, unit, marks } = WHAT[what];
    const id = `sv-hatch-${++views}`;
    const svg = make("svg", { viewBox: "-118 -118 236 236", class: "sv-bullseye", role: "group", "aria-label": title },
      make("defs", {}, make("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        make("rect", { width: 6, height: 6, fill: "#eceef0" }), make("line", { x1: 0, y1: 0, x2: 0, y2: 6, stroke: "#9aa3ab", "stroke-width": 1.6 }))));
    for (const segment of data.segments) {
      const known = segment.imaged || what === "ecg" ? value(segment) : null;
      const missing = known === null || known === undefined;
      const fill = !segment.imaged && what !== "ecg" ? `url(#${id})` : missing ? "#dde1e4" : data.shades[Math.round(Math.max(0, Math.min(100, known)) / 5)];
      const told = missing ? (segment.imaged ? "not known" : "not imaged") : `${Math.round(known)} ${unit}`;
      const verdict = segment.verdict ? `; ECG against image: ${segment.verdict}` : "";
      const path = make("path", {
        d: wedge(segment.number), fill, class: "sv-wedge" + (chosen === segment.number ? " sv-chosen" : ""), tabindex: 0, role: "button",
        "data-segment": segment.number, "aria-label": `segment ${segment.number}, ${segment.name}: ${told}${verdict}. Show its slice`,
        onclick: () => choose(segment), onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(segment); } },
      }, make("title", {}, `${segment.number} ${segment.name}: ${told}${verdict}`));
      const [x, y] = middle(segment.number);
      const ink = !missing && dark(fill) ? "#ffffff" : "#111111";
      const mark = marks && segment.verdict ? ` ${VERDICTS[segment.verdict] || ""}` : "";
      svg.append(path, make("text", { x, y: y - 3, class: "sv-number", fill: ink }, `${segment.number}${mark}`));
      if (!missing) svg.append(make("text", { x, y: y + 10, class: "sv-value", fill: ink }, String(Math.round(known))));
    }
    if (chosen) svg.append(make("path", { d: wedge(chosen), class: "sv-ring" }));
    for (const [x, y, turn, word] of [[0, -107, 0, "anterior"], [0, 113, 0, "inferior"], [-107, 0, -90, "septal"], [107, 0, 90, "lateral"]])
      svg.append(make("text", { x: 0, y: 0, class: "sv-wall", transform: `translate(${x} ${y}) rotate(${turn})` }, word));
    return svg;
  }

  function scale(data) {
    const bar = make("div", { class: "sv-scale", "aria-hidden": "true" });
    const colours = make("span", {});
    colours.style.background = `linear-gradient(90deg,${data.shades.join(",")})`;
    bar.append("0", colours, "100 %");
    return bar;
  }

  window.ScarViewer = function (root, data, remembered) {
    const state = Object.assign({ slice: data.first, overlay: true, opacity: 40, ecg: true, influence: false, chosen: null, second: null }, remembered);
    state.slice = Math.min(Math.max(1, state.slice), data.slices.length);
    const second = state.second || (data.with_ecg ? "ecg" : "transmurality");
    const name = `sv-${++views}`;
    const mvo = `${name}-mvo`;
    const layers = {
      grey: make("image", { width: data.units, height: data.units }),
      influence: make("image", { width: data.units, height: data.units }),
      epi: make("path", { class: "sv-epi" }), endo: make("path", { class: "sv-endo" }),
      scar: make("path", { class: "sv-scar" }), casing: make("path", { class: "sv-casing" }),
      edge: make("path", { class: "sv-edge" }), mvo: make("path", { class: "sv-mvo", fill: `url(#${mvo})` }),
    };
    const picture = make("svg", { viewBox: `0 0 ${data.units} ${data.units}`, class: "sv-slice", role: "img", tabindex: 0 },
      make("defs", {}, make("pattern", { id: mvo, width: 14, height: 14, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        make("rect", { width: 14, height: 14, fill: "#000" }), make("line", { x1: 0, y1: 0, x2: 0, y2: 14, stroke: "#fff", "stroke-width": 7 }))),
      ...Object.values(layers));
    for (const [x, y, turn, word] of [[500, 34, 0, "anterior"], [500, 968, 0, "inferior"], [30, 500, -90, "septal"], [970, 500, 90, "lateral"]])
      picture.append(make("text", { class: "sv-word", transform: `translate(${x} ${y}) rotate(${turn})` }, word));
    const bar = (10 / data.field_mm) * data.units;
    picture.append(make("line", { x1: 40, x2: 40 + bar, y1: 960, y2: 960, class: "sv-bar" }), make("text", { x: 40, y: 945, class: "sv-word sv-left" }, "10 mm"));

    const label = make("output", { class: "sv-label" });
    const slider = make("input", { type: "range", min: 1, max: data.slices.length, step: 1, "aria-label": "slice, 1 is the apex", class: "sv-slider", oninput: () => view.slice(Number(slider.value)) });
    const opacity = make("input", { type: "range", min: 0, max: 100, "aria-label": "opacity of the scar", class: "sv-opacity", oninput: () => { state.opacity = Number(opacity.value); draw(); } });
    const check = (key, words, title) => {
      const box = make("input", { type: "checkbox", class: `sv-${key}-box`, onchange: () => { state[key] = box.checked; draw(); } });
      return [box, make("label", { title }, box, ` ${words}`)];
    };
    const [overlayBox, overlayLabel] = check("overlay", "overlay", "key o");
    const [influenceBox, influenceLabel] = check("influence", "what the ECG changed", "key i");
    const radios = ["with ECG", "images alone"].map((words, index) => {
      const radio = make("input", { type: "radio", name, class: index ? "sv-alone" : "sv-with", onchange: () => { state.ecg = index === 0; draw(); } });
      return [radio, make("label", { title: "key e" }, radio, ` ${words}`)];
    });
    const which = make("select", { "aria-label": "what the second bullseye shows", onchange: () => { state.second = which.value; draw(); } },
      ...["ecg", "transmurality"].filter((key) => key !== "ecg" || data.with_ecg).map((key) => make("option", { value: key, selected: key === second }, WHAT[key].title)));
    const keys = make("p", { class: "sv-keys" }, make("span", { class: "sv-k sv-k-endo" }), "endocardium ", make("span", { class: "sv-k sv-k-epi" }), "epicardium ",
      make("span", { class: "sv-k sv-k-scar" }), "scar ", make("span", { class: "sv-k sv-k-mvo" }), "MVO");
    const change = make("p", { class: "sv-keys sv-change" }, `change by the ECG in probability: −${data.influence_end.toFixed(2)}`, make("span", { class: "sv-k sv-k-change" }), `+${data.influence_end.toFixed(2)}`);
    const holders = [make("div", { class: "sv-holder" }), make("div", { class: "sv-holder" })];
    const titles = [make("figcaption", {}), make("figcaption", {}, which)];
    const controls = make("div", { class: "sv-controls" }, overlayLabel, make("label", {}, "opacity ", opacity));
    if (data.with_ecg) controls.append(...radios.map((pair) => pair[1]), influenceLabel);
    root.replaceChildren(make("div", { class: "sv" },
      make("figure", { class: "sv-images" }, picture, make("div", { class: "sv-scroll" }, slider, label), controls, keys, data.with_ecg ? change : null),
      make("div", { class: "sv-eyes" }, ...holders.map((holder, index) => make("figure", {}, titles[index], holder)), scale(data))));

    picture.addEventListener("wheel", (event) => { event.preventDefault(); view.step(event.deltaY > 0 ? -1 : 1); }, { passive: false });

    function choose(segment) {
      state.chosen = segment.number;
      if (segment.slice) state.slice = segment.slice;
      draw();
      const again = root.querySelector(`.sv-wedge[data-segment="${segment.number}"]`);
      if (again && root.contains(document.activeElement) === false) again.focus({ preventScroll: true });
    }

    function draw() {
      const slice = data.slices[state.slice - 1];
      const shown = data.with_ecg && !state.ecg ? slice.alone : slice.scar;
      layers.grey.setAttribute("href", slice.grey);
      if (slice.influence && state.influence) layers.influence.setAttribute("href", slice.influence);
      else layers.influence.removeAttribute("href");
      for (const key of ["epi", "endo", "mvo"]) layers[key].setAttribute("d", slice[key]);
      for (const key of ["scar", "casing", "edge"]) layers[key].setAttribute("d", shown);
      for (const key of ["epi", "endo", "scar", "casing", "edge", "mvo"]) layers[key].style.display = state.overlay ? "" : "none";
      layers.scar.style.fillOpacity = state.opacity / 100;
      layers.mvo.style.opacity = Math.min(1, state.opacity / 60);
      label.textContent = `slice ${state.slice} of ${data.slices.length}, ${slice.level}`;
      picture.setAttribute("aria-label", `LGE, ${label.textContent}${shown ? ", with scar" : ", no scar"}`);
      slider.value = state.slice; opacity.value = state.opacity; overlayBox.checked = state.overlay; influenceBox.checked = state.influence;
      radios[state.ecg ? 0 : 1][0].checked = true;
      change.style.visibility = state.influence ? "visible" : "hidden";
      const first = data.with_ecg && !state.ecg ? "alone" : "scar";
      titles[0].textContent = data.with_ecg && state.ecg ? "Scar with ECG, % of segment" : WHAT[first].title;
      holders[0].replaceChildren(bullseye(data, first, state.chosen, choose));
      holders[1].replaceChildren(bullseye(data, state.second || second, state.chosen, choose));
    }

    const view = {
      state,
      slice(number) { state.slice = Math.min(Math.max(1, number), data.slices.length); draw(); },
      step(by) { view.slice(state.slice + by); },
      toggle(key) { if (key === "overlay" || data.with_ecg) { state[key] = !state[key]; draw(); } },
    };
    draw();
    return view;
  };
})();
