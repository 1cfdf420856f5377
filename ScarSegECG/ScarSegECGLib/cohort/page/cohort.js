// The table of a cohort and the patient beside it. Reads page/rows.js and cases/NAME/view.js, writes nothing but a download.
"use strict";
window.SCARSEGECG_VIEWS = Object.create(null); // a case may be called "constructor"
(function () {
  const { id, rows, methods, group, weights, words } = SCARSEGECG_COHORT;
  const KEEP = `scarsegecg-review-${id}`;
  const CONFIDENCE = { bad: "▲ do not use", check: "● check", good: "○ good", none: "– not judged" };
  const DECISIONS = { accept: "✓ accepted", correct: "✎ to be corrected", reject: "✗ rejected" };
  const $ = (name) => document.getElementById(name);
  const shown = { filtered: rows, chosen: null, view: null, sort: "flags", down: true, remembered: {} };
  let kept = Object.create(null);
  let storage = true;
  try { Object.assign(kept, JSON.parse(localStorage.getItem(KEEP) || "{}")); } catch (error) { storage = false; }

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "text") element.textContent = value;
      else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  const number = (value, digits) => (value === null || value === undefined ? "–" : value.toFixed(digits));
  const between = (ends, digits) => (ends && ends[0] !== null ? `${number(ends[0], digits)}–${number(ends[1], digits)}` : "");
  const review = (row) => kept[row.case] || { decision: row.decision, comment: row.comment };
  const confidence = (row) => (!row.done || row.alarms ? "bad" : row.checks ? "check" : row.judged ? "good" : "none");
  const flagNames = (row) => row.flags.map((flag) => words.flags[flag][0]);
  const folder = (row) => `cases/${encodeURIComponent(row.case)}`;

  function flag(name) {
    return make("span", { class: `flag ${weights[name]}`, title: words.flags[name][1], text: words.flags[name][0] });
  }

  // A picture is loaded when its row comes near the screen: a thousand at once would take seconds.
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) {
        target.src = target.dataset.src;
        seen.unobserve(target);
      }
    }
  }, { root: $("scroll"), rootMargin: "400px" });

  const some = (key) => rows.some((row) => row[key] !== null && row[key] !== undefined);
  const COLUMNS = [
    { key: "picture", head: "", cell: picture },
    { key: "case", head: "Case", value: (row) => row.case, cell: (row) => make("b", { text: row.case }) },
    { key: "ml", head: "Scar, ml", right: true, value: (row) => row.ml, cell: (row) => two(number(row.ml, 1), between(row.interval_ml, 1)) },
    { key: "percent", head: "% of LV", right: true, value: (row) => row.percent, cell: (row) => two(number(row.percent, 1), between(row.interval_percent, 0)) },
    { key: "with_ecg_ml", head: "with ECG, ml", right: true, wide: true, needed: some("with_ecg_ml"), value: (row) => row.with_ecg_ml, cell: (row) => document.createTextNode(number(row.with_ecg_ml, 1)) },
    { key: "expert_ml", head: "expert, ml", right: true, wide: true, needed: some("expert_ml"), value: (row) => row.expert_ml, cell: (row) => document.createTextNode(number(row.expert_ml, 1)) },
    { key: "dice", head: "Dice", right: true, needed: some("expert_ml"), value: (row) => row.dice, cell: (row) => document.createTextNode(number(row.dice, 2)) },
    { key: "confidence", head: "Look first", value: (row) => ({ bad: 3, check: 2, none: 1, good: 0 })[confidence(row)], cell: (row) => make("span", { class: "conf", text: CONFIDENCE[confidence(row)] }) },
    { key: "flags", head: "Flags", value: (row) => 1000 * row.alarms + 10 * row.checks + row.flags.length / 100, cell: (row) => make("span", { title: row.why || null }, ...row.flags.map(flag)) },
    { key: "review", head: "Review", value: (row) => review(row).decision || "", cell: (row) => make("span", { class: "decision", text: DECISIONS[review(row).decision] || "" }) },
  ].filter((column) => column.needed !== false);

  function two(main, small) {
    return make("span", {}, main, small ? make("br", {}) : null, small ? make("small", { text: small }) : null);
  }

  function picture(row) {
    if (!row.done) return make("div", { class: "none-img", text: "?" });
    const image = make("img", { alt: "", width: 48, height: 48, "data-src": `${folder(row)}/thumb.png` });
    seen.observe(image);
    return image;
  }

  function heads() {
    $("head").replaceChildren(...COLUMNS.map((column) => {
      const sorted = shown.sort === column.key;
      const style = [column.right ? "n" : "", column.wide ? "wide" : ""].join(" ").trim();
      const order = sorted ? (shown.down ? "descending" : "ascending") : column.value ? "none" : null;
      const sign = sorted ? (shown.down ? " ▾" : " ▴") : "";
      const content = column.value ? make("button", { type: "button", text: column.head + sign, onclick: () => sortBy(column.key) }) : "";
      return make("th", { scope: "col", class: style || null, "aria-sort": order, "data-key": column.key }, content);
    }));
  }

  function sortBy(key) {
    shown.down = shown.sort === key ? !shown.down : key !== "case";
    shown.sort = key;
    list();
  }

  function compare(one, other) {
    const { value } = COLUMNS.find((column) => column.key === shown.sort);
    const [a, b] = [value(one), value(other)];
    const unknown = (v) => v === null || v === undefined;
    if (unknown(a) || unknown(b)) return unknown(a) - unknown(b); // what is not known stands last, either way
    const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
    return shown.down ? -order : order;
  }

  const body = new Map();

  function tableRow(row) {
    if (!body.has(row.case)) {
      body.set(row.case, make("tr", { "data-case": row.case, onclick: () => choose(row) },
        ...COLUMNS.map((column) => make("td", { class: [column.right ? "n" : "", column.wide ? "wide" : ""].join(" ").trim() || null }, column.cell(row)))));
    }
    return body.get(row.case);
  }

  function fits(row) {
    const text = $("search").value.trim().toLowerCase();
    const wanted = [...$("flags").querySelectorAll('[aria-pressed="true"]')].map((button) => button.dataset.flag);
    const said = review(row);
    return (!text || [row.case, said.comment, row.why, ...flagNames(row)].join(" ").toLowerCase().includes(text))
      && wanted.every((name) => row.flags.includes(name))
      && (!$("confidence").value || confidence(row) === $("confidence").value)
      && (!$("decided").value || ($("decided").value === "open" ? !said.decision : said.decision === $("decided").value));
  }

  function list() {
    shown.filtered = rows.filter(fits).sort(compare);
    heads();
    $("rows").replaceChildren(...shown.filtered.map(tableRow));
    $("none").hidden = shown.filtered.length > 0;
    const decided = rows.filter((row) => review(row).decision).length;
    const bad = rows.filter((row) => confidence(row) === "bad").length;
    $("count").textContent = `${shown.filtered.length} of ${rows.length} patients; ${bad} not to be used before a look; ${decided} reviewed`;
    $("methods").textContent = methods.length ? `Scar: ${methods.join("; ")}.` : "";
    mark();
  }

  function mark() {
    for (const [name, element] of body) element.setAttribute("aria-selected", String(shown.chosen !== null && name === shown.chosen.case));
    if (shown.chosen && body.has(shown.chosen.case)) body.get(shown.chosen.case).scrollIntoView({ block: "nearest" });
  }

  function walk(by) {
    const at = shown.filtered.indexOf(shown.chosen);
    const next = shown.filtered[at < 0 ? (by > 0 ? 0 : shown.filtered.length - 1) : at + by];
    if (next) choose(next);
  }

  function choose(row) {
    if (shown.view) {
      const { overlay, opacity, ecg, influence, second } = shown.view.state;
      shown.remembered = { overlay, opacity, ecg, influence, second };
    }
    shown.chosen = row;
    shown.view = null;
    mark();
    const frame = make("div", { id: "viewer" });
    $("patient").replaceChildren(...headline(row), reviewForm(row), row.done ? frame : make("p", { class: "hint", text: row.why }), ...below(row));
    $("patient").scrollTop = 0;
    if (row.done) load(row, () => { if (shown.chosen === row) shown.view = ScarViewer(frame, SCARSEGECG_VIEWS[row.case], shown.remembered); });
  }

  function load(row, then) {
    if (SCARSEGECG_VIEWS[row.case]) return then();
    for (const name of Object.keys(SCARSEGECG_VIEWS).slice(0, -8)) delete SCARSEGECG_VIEWS[name];
    const script = make("script", { src: `${folder(row)}/view.js`, onload: () => { script.remove(); then(); } });
    script.addEventListener("error", () => $("viewer") && $("viewer").replaceChildren(make("p", { text: "The slices of this case are missing: run the cohort again." })));
    document.head.append(script);
  }

  function headline(row) {
    const flags = make("p", {}, make("span", { class: "conf", text: `${CONFIDENCE[confidence(row)]} ` }), ...row.flags.map(flag));
    if (!row.done) return [make("h2", { text: row.case }), flags];
    const spread = between(row.interval_ml, 1) ? ` (${Math.round(100 * row.level)} % interval ${between(row.interval_ml, 1)} ml)` : "";
    const share = between(row.interval_percent, 0) ? ` (${between(row.interval_percent, 0)} %)` : "";
    const figures = make("p", { class: "figures" }, make("b", { text: `Scar ${number(row.ml, 1)} ml` }), `${spread}, ${number(row.grams, 1)} g, ${number(row.percent, 1)} % of LV${share}, images alone`);
    const ecg = row.with_ecg_ml !== null && row.with_ecg_ml !== undefined
      ? `With ECG (investigational) ${number(row.with_ecg_ml, 1)} ml; weight ${number(row.ecg_weight, 2)}${row.gap === null ? "" : `, ECG ${Math.abs(row.gap).toFixed(0)} days ${row.gap < 0 ? "before" : "after"} the MRI`}.`
      : row.ecg ? "The ECG was not used." : "";
    const expert = row.expert_ml === null || row.expert_ml === undefined ? "" : ` Expert ${number(row.expert_ml, 1)} ml, Dice ${number(row.dice, 2)}.`;
    const sure = [...row.doubts, ...row.remarks].map((text) => ` ${text}`).join("");
    return [make("h2", { text: row.case }), figures, make("p", { class: "figures", text: ecg + expert + sure }), flags];
  }

  function reviewForm(row) {
    const said = review(row);
    const buttons = Object.entries({ accept: "Accept (a)", correct: "To be corrected (c)", reject: "Reject (r)" }).map(([key, text]) =>
      make("button", { type: "button", text, "data-decision": key, "aria-pressed": String(said.decision === key), onclick: () => decide(row, key) }));
    const comment = make("textarea", { id: "comment", "aria-label": "comment", placeholder: "comment (m)", maxlength: 4000, oninput: () => keep(row, { comment: comment.value }) });
    comment.value = said.comment || "";
    const stale = said.stamp && row.stamp && said.stamp !== row.stamp ? make("span", { class: "stale", text: "Decided on an earlier result of this case: look again." }) : null;
    return make("div", { class: "review", role: "group", "aria-label": "review" }, ...buttons, comment, stale);
  }

  function decide(row, key) {
    keep(row, { decision: review(row).decision === key ? "" : key, stamp: row.stamp || "" });
    for (const button of document.querySelectorAll("[data-decision]")) button.setAttribute("aria-pressed", String(review(row).decision === button.dataset.decision));
  }

  function keep(row, change) {
    kept[row.case] = Object.assign({}, review(row), change, { at: new Date().toISOString().slice(0, 19) + "Z" });
    if (storage) try { localStorage.setItem(KEEP, JSON.stringify(kept)); } catch (error) { storage = false; }
    const cell = tableRow(row).lastElementChild;
    cell.firstElementChild.textContent = DECISIONS[review(row).decision] || "";
    saveButton();
    const decided = rows.filter((one) => review(one).decision).length;
    $("count").textContent = $("count").textContent.replace(/\d+ reviewed$/, `${decided} reviewed`);
  }

  function saveButton() {
    const count = Object.keys(kept).length;
    $("save").textContent = count ? `Save review (${count})` : "Save review";
    $("save").title = storage ? "writes review.csv" : "This browser keeps nothing: save before you close the page.";
  }

  function below(row) {
    if (!row.done) return [];
    const parts = [];
    if (row.warnings.length) parts.push(make("ul", { class: "warnings" }, ...row.warnings.map((text) => make("li", { text }))));
    if (row.ecg) parts.push(make("h2", { text: "ECG" }), make("img", { class: "ecg", src: `${folder(row)}/ecg.png`, alt: "the ECG on paper", loading: "lazy" }));
    parts.push(make("p", {}, make("a", { href: `${folder(row)}/report.html`, text: "report to read and print" })));
    return parts;
  }

  function csvCell(text) {
    const plain = String(text || "").replace(/\s+/g, " ").trim();
    const safe = /^[=+\-@]/.test(plain) ? `'${plain}` : plain;
    return /[",;]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  }

  function save() {
    const lines = rows.filter((row) => kept[row.case]).map((row) => { const said = kept[row.case]; return [row.case, said.decision, said.comment, said.at].map(csvCell).join(","); });
    const text = ["case,decision,comment,reviewed_utc", ...lines, ""].join("\n");
    const link = make("a", { href: URL.createObjectURL(new Blob(["\ufeff" + text], { type: "text/csv" })), download: "review.csv" });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function part(name) {
    for (const one of ["patients", "group", "help"]) {
      $(one).hidden = one !== name;
      $(`show-${one}`).setAttribute("aria-pressed", String(one === name));
    }
  }

  const KEYS = {
    j: () => walk(1), ArrowDown: () => walk(1), k: () => walk(-1), ArrowUp: () => walk(-1),
    ArrowRight: () => shown.view && shown.view.step(1), ArrowLeft: () => shown.view && shown.view.step(-1),
    o: () => shown.view && shown.view.toggle("overlay"), e: () => shown.view && shown.view.toggle("ecg"), i: () => shown.view && shown.view.toggle("influence"),
    a: () => shown.chosen && decide(shown.chosen, "accept"), c: () => shown.chosen && decide(shown.chosen, "correct"), r: () => shown.chosen && decide(shown.chosen, "reject"),
    m: () => $("comment") && $("comment").focus(), "/": () => { part("patients"); $("search").focus(); }, "?": () => part($("help").hidden ? "help" : "patients"),
  };

  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "Escape") { event.target.blur(); if ($("patients").hidden) part("patients"); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && !(event.target.type === "checkbox" || event.target.type === "radio"))) return;
    if (KEYS[event.key] && (event.key === "?" || event.key === "/" || !$("patients").hidden)) { event.preventDefault(); KEYS[event.key](); }
  });

  const present = Object.keys(words.flags).filter((name) => rows.some((row) => row.flags.includes(name)));
  $("flags").append(...present.map((name) => {
    const button = make("button", { type: "button", "data-flag": name, "aria-pressed": "false", title: words.flags[name][1], text: `${words.flags[name][0]} ${rows.filter((row) => row.flags.includes(name)).length}` });
    button.addEventListener("click", () => { button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true")); list(); });
    return button;
  }));
  $("flag-words").append(...Object.entries(words.flags).flatMap(([name, [short, long]]) => [make("dt", {}, flag(name)), make("dd", { text: long })]));
  $("group").append(make("div", { class: "gallery" }, ...group.map(({ file, caption }) => make("figure", {}, make("img", { src: file, alt: words.group[caption] }), make("figcaption", { text: words.group[caption] })))));
  if (!group.length) $("group").append(make("p", { text: "There is no result to draw." }));
  for (const name of ["patients", "group", "help"]) $(`show-${name}`).addEventListener("click", () => part(name));
  $("save").addEventListener("click", save);
  $("search").addEventListener("input", list);
  $("confidence").addEventListener("change", list);
  $("decided").addEventListener("change", list);
  saveButton();
  list();
})();
