// Run exported graphs in onnxruntime-web under Node.
//   node web_query.cjs MODULE FOLDER REQUEST.json
// MODULE is the path of onnxruntime-web. The request is a list of {graph, inputs, out}: inputs are
// {name: {dims, file}} of little-endian float32, and `out` is where the first output is written.
const fs = require("node:fs");
const path = require("node:path");

async function main([modulePath, folder, request]) {
  const ort = require(modulePath);
  ort.env.wasm.numThreads = 1;
  const sessions = {};
  for (const { graph, inputs, out } of JSON.parse(fs.readFileSync(request, "utf8"))) {
    sessions[graph] ??= await ort.InferenceSession.create(path.join(folder, graph), {
      executionProviders: ["wasm"],
    });
    const feeds = {};
    for (const [name, { dims, file }] of Object.entries(inputs)) {
      const bytes = fs.readFileSync(file);
      const count = dims.reduce((product, n) => product * n, 1);
      const values = new Float32Array(count);
      new Uint8Array(values.buffer).set(bytes);
      feeds[name] = new ort.Tensor("float32", values, dims);
    }
    const results = await sessions[graph].run(feeds);
    const first = results[sessions[graph].outputNames[0]];
    fs.writeFileSync(out, new Uint8Array(first.data.buffer, first.data.byteOffset, first.data.byteLength));
    console.log(graph, JSON.stringify(first.dims));
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
