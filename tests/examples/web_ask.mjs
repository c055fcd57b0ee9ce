// Ask the web example's module under Node.
//   node web_ask.mjs MODULE SPD_JS MODEL REQUEST.json
// MODULE is the path of onnxruntime-web, MODEL the folder of an export. The request is a list of
// {width, height, focalPx, pixels: {width, height, file of RGBA bytes}, points}; a line of JSON is
// printed for each: {plan, depthM} or {error}.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modulePath, spd, folder, request] = process.argv.slice(2);
const ort = createRequire(import.meta.url)(modulePath);
ort.env.wasm.numThreads = 1;
const { Model, planOf } = await import(pathToFileURL(spd).href);
const read = (name) => fs.readFileSync(path.join(folder, name));
const about = JSON.parse(read("export.json"));
const model = await Model.open(ort, about, read("encode.onnx"), read("query.onnx"));

for (const one of JSON.parse(fs.readFileSync(request, "utf8"))) {
  try {
    const of = one.imageSize ? { ...about, image_size: one.imageSize } : about;
    const plan = planOf(one.width, one.height, one.focalPx, of);
    let depthM;
    if (one.pixels) {
      const data = fs.readFileSync(one.pixels.file);
      const scene = await model.encode({ ...one.pixels, data }, plan);
      depthM = await scene.depthAt(one.points);
    }
    console.log(JSON.stringify({ plan, depthM }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
