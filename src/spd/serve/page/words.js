// Numbers and sentences for the user.

/** Metres to the centimetre, below one metre to the millimetre: no model is more accurate. */
export function metres(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "no depth";
  return `${value.toFixed(Math.abs(value) < 1 ? 3 : 2)} m`;
}

/** A place as `u 320.5, v 140`. */
export function place([u, v]) {
  return `u ${number(u)}, v ${number(v)}`;
}

/** A place as `320.5, 140`, where a heading names the columns. */
export function shortPlace([u, v]) {
  return `${number(u)}, ${number(v)}`;
}

function number(value) {
  return String(Math.round(value * 100) / 100);
}

/** The focal length in use and its source: {text, known}. */
export function focalWords(info) {
  const px = info.focal_px ?? info.assumed_focal_px;
  if (px === null || px === undefined) {
    return { text: "Unknown; this model does not use the focal length.", known: false };
  }
  const longer = Math.max(info.width, info.height);
  const angle = (2 * Math.atan(longer / 2 / px) * 180) / Math.PI;
  const amount = `${px.toFixed(1)} px (${angle.toFixed(1)}° along the longer side)`;
  const whence = {
    given: "as given.",
    fov: "from the field of view given.",
    intrinsics: "from the camera intrinsics given.",
    exif: "from the photo’s EXIF data. This value is wrong if the photo was cropped.",
    assumed:
      "assumed: neither you nor the photo’s file gave one, so SPD uses the training camera’s field of view. " +
      "All depths may be off by a constant factor.",
    predicted: "predicted by the model from the photo. Depth is only as accurate as this prediction.",
  }[info.focal_source];
  return { text: `${amount}, ${whence ?? info.focal_source}`, known: info.focal_px !== null };
}

/** The model in one line. */
export function modelWords(model) {
  const millions = model.parameters ? `${(model.parameters / 1e6).toFixed(1)} M parameters` : null;
  const name = model.name === "shipped" ? "SPD’s shipped model" : `Model: ${model.name}`;
  return [name, millions, model.runtime, model.precision]
    .filter(Boolean)
    .join(" · ");
}

/** A warning about the accuracy of the shipped model; empty for others. */
export function worthWords(model) {
  if (model.name !== "shipped") return "";
  return (
    "This model was trained on synthetic rooms only, to demonstrate the tool. " +
    "Do not rely on its depths for real photos."
  );
}
