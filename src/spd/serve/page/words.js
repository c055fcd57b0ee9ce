// Numbers and sentences for people.

/** Metres to the centimetre, below one metre to the millimetre: more would claim too much. */
export function metres(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "no reading";
  return `${value.toFixed(Math.abs(value) < 1 ? 3 : 2)} m`;
}

/** A place as `u 320.5, v 140`. */
export function place([u, v]) {
  return `u ${number(u)}, v ${number(v)}`;
}

/** A place as `320.5, 140`, where a heading says what that is. */
export function shortPlace([u, v]) {
  return `${number(u)}, ${number(v)}`;
}

function number(value) {
  return String(Math.round(value * 100) / 100);
}

/** Which focal length metres rest on and who said it: {text, known}. */
export function focalWords(info) {
  const px = info.focal_px ?? info.assumed_focal_px;
  if (px === null || px === undefined) {
    return { text: "Not known. This model's depth does not use it.", known: false };
  }
  const longer = Math.max(info.width, info.height);
  const angle = (2 * Math.atan(longer / 2 / px) * 180) / Math.PI;
  const amount = `${px.toFixed(1)} px (${angle.toFixed(1)}° along the longer side)`;
  const whence = {
    given: "as given.",
    fov: "from the field of view given.",
    intrinsics: "from the camera given.",
    exif: "from the photo’s EXIF. If the photo was cropped since, it is wrong.",
    assumed:
      "assumed: nothing says it, so the training camera’s field of view is taken. " +
      "Metres may be off by a factor.",
    predicted: "predicted by the model from the photo. Metres rest on that guess.",
  }[info.focal_source];
  return { text: `${amount}, ${whence ?? info.focal_source}`, known: info.focal_px !== null };
}

/** What the model is, in a line. */
export function modelWords(model) {
  const millions = model.parameters ? `${(model.parameters / 1e6).toFixed(1)} M parameters` : null;
  return ["Model " + model.name, millions, model.runtime, model.precision]
    .filter(Boolean)
    .join(" · ");
}

/** What its metres are worth; empty where this page cannot know. */
export function worthWords(model) {
  if (model.name !== "shipped") return "";
  return (
    "This model learnt from synthetic rooms alone. It shows the tool at work: " +
    "do not rely on its metres in real photos."
  );
}
