// The results as JSON: everything that the service answered, in metres and full precision.

/** A text for a file: {unit, photos, results}; each result names its photo by index. */
export function jsonOf(items) {
  const photos = [...new Set(items.map((item) => item.photo))];
  const results = items.map((item) => ({
    number: item.number,
    kind: item.kind,
    points: item.places,
    ...item.answer,
    focal_px: item.lens?.focal_px ?? item.lens?.assumed_focal_px ?? null,
    focal_source: item.lens?.focal_source ?? null,
    photo: photos.indexOf(item.photo),
    error: item.error?.message ?? null,
  }));
  const described = photos.map(({ name, size, info }) => ({
    name,
    ...size,
    warnings: info.warnings,
  }));
  return `${JSON.stringify({ unit: "m", photos: described, results }, null, 2)}\n`;
}
