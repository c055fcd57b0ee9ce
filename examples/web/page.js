// The page: a photo, a click, metres.
import * as ort from "onnxruntime-web";
import { Model, focalFromFov, planOf } from "./spd.js";

ort.env.wasm.numThreads = 1; // more need headers that a plain file server does not send

const [file, focal, canvas, said] = ["file", "focal", "photo", "said"].map((id) =>
  document.getElementById(id),
);
// What was chosen; what goes through the network; what is on the canvas and answers a click.
let model, photo, encoding, current;

/** The photo's pixels at the scale of the plan; parts of a pixel at the end are left out. */
function scaled(bitmap, { scale }) {
  const [columns, rows] = [bitmap.width, bitmap.height].map((side) =>
    Math.max(1, Math.floor(side * scale + 1e-9)),
  );
  const context = new OffscreenCanvas(columns, rows).getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, columns / scale, rows / scale, 0, 0, columns, rows);
  return context.getImageData(0, 0, columns, rows);
}

async function encode() {
  if (!photo) return;
  current = undefined;
  said.textContent = "encoding ...";
  const assumed = !(Number(focal.value) > 0);
  const { fov_deg } = model.about.model.camera;
  const focalPx = assumed ? focalFromFov(fov_deg, photo.width, photo.height) : Number(focal.value);
  const own = (encoding = { photo, focalPx });
  const plan = planOf(photo.width, photo.height, focalPx, model.about);
  own.scene = await model.encode(scaled(photo, plan), plan);
  if (own !== encoding) return; // another photo or focal length was given meanwhile
  [canvas.width, canvas.height] = [own.photo.width, own.photo.height];
  canvas.getContext("2d").drawImage(own.photo, 0, 0);
  current = own;
  const note = assumed ? `, assumed from ${fov_deg} degrees: metres rest on it` : "";
  said.textContent = `click the photo; focal length ${focalPx.toFixed(1)} px${note}`;
}

async function ask(event) {
  if (!current) return;
  const asked = current;
  const { photo, focalPx, scene } = asked;
  const u = (event.offsetX / canvas.clientWidth) * photo.width - 0.5;
  const v = (event.offsetY / canvas.clientHeight) * photo.height - 0.5;
  const [depthM] = await scene.depthAt([[u, v]]);
  if (asked !== current) return;
  const [x, y] = [u - (photo.width - 1) / 2, v - (photo.height - 1) / 2];
  const rangeM = depthM * Math.hypot(x / focalPx, y / focalPx, 1);
  said.textContent =
    `(${u.toFixed(1)}, ${v.toFixed(1)}): ${rangeM.toFixed(2)} m away, ` +
    `${depthM.toFixed(2)} m along the viewing direction`;
}

/** Errors are shown where answers are. */
const shown = (work) => async (event) => {
  try {
    await work(event);
  } catch (error) {
    said.textContent = `${error.message ?? error}`;
  }
};

file.addEventListener("change", shown(async () => {
  const [chosen] = file.files;
  const bitmap = await createImageBitmap(chosen); // upright, by its EXIF
  if (chosen !== file.files[0]) return; // another was chosen meanwhile
  photo = bitmap;
  await encode();
}));
focal.addEventListener("change", shown(encode));
canvas.addEventListener("click", shown(ask));
await shown(async () => {
  const answer = await fetch("model/export.json");
  if (!answer.ok) throw new Error("no model/export.json beside this page; see README.md");
  model = await Model.open(ort, await answer.json(), "model/encode.onnx", "model/query.onnx");
  file.disabled = false;
  said.textContent = "choose a photo";
})();
