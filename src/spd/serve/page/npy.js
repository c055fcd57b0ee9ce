// numpy's .npy files, as far as the service writes them: float32, little-endian, rows first.

const MAGIC = "\x93NUMPY";

/** {depthM: Float32Array, rows, columns} of a file's bytes. */
export function readNpy(buffer) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  if (String.fromCharCode(...bytes.subarray(0, 6)) !== MAGIC) throw new Error("not a .npy file");
  const long = bytes[6] > 1; // version 2 and later count the header in four bytes
  const start = long ? 12 : 10;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  const shape = /'shape':\s*\((\d+),\s*(\d+)\)/.exec(header);
  if (!shape || !/'descr':\s*'<f4'/.test(header) || !/'fortran_order':\s*False/.test(header)) {
    throw new Error(`not a two-dimensional float32 array: ${header.trim()}`);
  }
  const [rows, columns] = [Number(shape[1]), Number(shape[2])];
  const data = start + length; // numpy pads the header, so this is a multiple of 16
  return { depthM: new Float32Array(buffer, data, rows * columns), rows, columns };
}
