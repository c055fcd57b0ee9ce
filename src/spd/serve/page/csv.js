// The table as CSV: one row per query, full precision, empty where a column does not apply.

const COLUMNS = {
  number: (item) => item.number,
  kind: (item) => item.kind,
  u0: (item) => item.places[0][0],
  v0: (item) => item.places[0][1],
  u1: (item) => item.places.at(item.kind === "path" ? -1 : 1)?.[0],
  v1: (item) => item.places.at(item.kind === "path" ? -1 : 1)?.[1],
  points: ({ kind, places }) =>
    kind === "path" ? places.map((place) => place.join(" ")).join(";") : null,
  ...answered("depth_m", "range_m", "distance_m", "length_m", "median_m"),
  legs_m: (item) => item.answer?.legs_m?.join(";"),
  ...answered("p10_m", "p25_m", "p75_m", "p90_m", "count", "valid_share"),
  focal_px: (item) => item.lens?.focal_px ?? item.lens?.assumed_focal_px,
  focal_source: (item) => item.lens?.focal_source,
  photo: (item) => item.photo.name,
  error: (item) => item.error?.message,
};

function answered(...names) {
  return Object.fromEntries(names.map((name) => [name, (item) => item.answer?.[name]]));
}

/** All items, with a heading. */
export function csvOf(items) {
  const rows = items.map((item) => Object.values(COLUMNS).map((read) => cell(read(item))));
  return [Object.keys(COLUMNS), ...rows].map((row) => `${row.join(",")}\r\n`).join("");
}

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  // A name that begins like a formula would be computed by a spreadsheet.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
