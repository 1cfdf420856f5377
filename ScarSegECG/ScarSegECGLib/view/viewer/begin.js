// Arrow keys walk through the slices.
const view = ScarViewer(
  document.getElementById("scar-viewer"),
  JSON.parse(document.getElementById("scar-viewer-data").textContent),
);
document.addEventListener("keydown", (event) => {
  if (/^(INPUT|SELECT)$/.test(event.target.tagName)) return;
  if (event.key === "ArrowRight") view.step(1);
  if (event.key === "ArrowLeft") view.step(-1);
  if (event.key === "o") view.toggle("overlay");
  if (event.key === "e") view.toggle("ecg");
  if (event.key === "i") view.toggle("influence");
});
