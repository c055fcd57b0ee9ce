// The page: connects the parts and handles what the user does.

import { DepthLayer } from "./depth_layer.js";
import { Draft } from "./draft.js";
import { FocalForm } from "./focal_form.js";
import { Marks } from "./marks.js";
import { Photo } from "./photo.js";
import { listenForPhotos } from "./photo_input.js";
import { clamped, pixelOf } from "./pixels.js";
import { listen } from "./pointer.js";
import { LiveReading } from "./reading.js";
import { Results } from "./results.js";
import { Service } from "./service.js";
import { say, tell } from "./status.js";
import { answerWords, Table } from "./table.js";
import { askToken } from "./token_dialog.js";
import { View } from "./view.js";
import { metres, modelWords, place, worthWords } from "./words.js";

const ZOOM_STEP = 1.5;
const SPOKEN_AFTER_MS = 350; // of rest before the crosshair’s reading is spoken

const HINTS = {
  point: "Click, tap or press Enter to pin a point.",
  distance: "Pick two points to measure the distance between them in 3D.",
  box: "Drag a box, or pick two opposite corners, to get the median and spread of its depth.",
};
const NO_DISTANCE =
  "Distances need the photo’s focal length, but neither you nor the photo’s file gave one.";

const NOT_SHOWN =
  "This browser cannot show this photo; its depth map is shown instead.";

const get = (id) => document.getElementById(id);
const stage = get("stage");

class Page {
  photo = null;
  crosshair = null; // the keyboard's pixel
  #opening = null;
  #draft = new Draft();
  #chosen = null;
  #address = null;
  #speech = 0;
  #limits = null;

  constructor() {
    this.service = new Service(askToken);
    this.results = new Results();
    this.table = new Table(this.results, this);
    this.marks = new Marks();
    this.layer = new DepthLayer();
    this.view = new View(stage, [get("image"), get("map")], () => this.#draw());
    this.reading = new LiveReading((read) => this.#showReading(read));
    this.focal = new FocalForm((focal) => this.#useFocal(focal));
    this.results.addEventListener("change", () => this.#draw());
    this.results.addEventListener("answer", ({ detail }) => this.#tellAnswer(detail));
    listenForPhotos(
      (file) => this.open(file),
      (words) => tell(words, { failed: true }),
    );
    listen(stage, this.view, this);
    this.#listenToTools();
    this.#tellModel();
  }

  // A photo comes in ------------------------------------------------------------------------

  async open(file) {
    const photo = new Photo(this.service, file, () =>
      tell("The service had removed the photo from its cache, so it was sent again."),
    );
    const most = this.#limits?.max_megabytes ?? Infinity;
    if (file.size > most * 1e6) {
      // If sent, it would be cut off half-way, and the browser would not know the reason.
      const size = (file.size / 1e6).toFixed(1);
      tell(`${photo.name} is ${size} MB; this service accepts up to ${most} MB.`, { failed: true });
      return;
    }
    this.#opening = photo;
    tell(`Reading ${photo.name} …`, { busy: true });
    try {
      let focal;
      do {
        focal = this.focal.next;
        await photo.send(focal);
      } while (focal !== this.focal.next); // one was given meanwhile
    } catch (error) {
      if (this.#opening !== photo) return;
      this.#opening = null;
      tell(error.message, { failed: true, retry: error.mayPass && (() => this.open(file)) });
      return;
    }
    await this.#show(photo);
  }

  async #show(photo) {
    const address = URL.createObjectURL(photo.file);
    const seen = await shows(address, photo.size);
    if (this.#opening !== photo) {
      // Another was chosen meanwhile.
      URL.revokeObjectURL(address);
      photo.close();
      return;
    }
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = get("image").src = address;
    this.photo?.close();
    [this.photo, this.#opening, this.crosshair] = [photo, null, null];
    this.focal.opened();
    document.body.classList.add("open");
    get("name").textContent = `${photo.name}, ${photo.size.width} × ${photo.size.height} pixels`;
    get("image").hidden = !seen;
    this.view.open(photo.size);
    if (!seen) {
      get("overlay").checked = true;
      get("opacity").value = 100;
      this.layer.opacity = 1;
    }
    tell(seen ? "" : NOT_SHOWN);
    this.#follow();
    say(`Photo ready, ${photo.size.width} by ${photo.size.height} pixels.`);
  }

  /** Update everything that depends on the photo and its focal length. */
  #follow() {
    this.focal.tell(this.photo.info);
    this.reading.attach(this.photo);
    this.#showPlaceholder();
    this.#begin(this.#draft.kind);
    this.#showLayer();
  }

  /** Whether there was a photo to send it with. */
  async #useFocal(focal) {
    const { photo } = this;
    if (!photo) {
      tell("The next photo will use this focal length.");
      return false;
    }
    tell("Reading the photo with this focal length …", { busy: true });
    try {
      await photo.send(focal);
    } finally {
      tell("");
    }
    if (photo !== this.photo) return true;
    this.#follow();
    await this.results.renew(photo);
    say(`Focal length: ${get("focal-now").textContent}`);
    return true;
  }

  // Pointer and keys (see pointer.js) ----------------------------------------------------------

  get size() {
    return this.photo?.size ?? null;
  }

  get drags() {
    return this.#draft.kind === "box";
  }

  hover(at) {
    if (this.crosshair) this.crosshair = null;
    this.reading.want(pixelOf(at, this.size));
    this.#drawDraft(clamped(at, this.size));
  }

  leave() {
    if (this.crosshair) return;
    this.reading.drop();
    this.#drawDraft();
  }

  step(pixel) {
    this.crosshair = pixel;
    this.reading.want(pixel);
    this.#drawDraft(pixel);
  }

  pick(at) {
    if (this.#draft.kind === "distance" && !this.#canMeasure) {
      say(NO_DISTANCE);
      return;
    }
    const places = this.#draft.add(at);
    if (places) this.results.add(this.photo, this.#draft.kind, places);
    else say(`First of two points at ${place(at)}.`);
    this.#drawDraft(at);
  }

  drag(from, to) {
    this.#draft.first = from;
    this.#drawDraft(to);
  }

  dragEnd(to) {
    if (this.#draft.first) this.pick(to); // else it was given up
  }

  abort() {
    this.#draft.giveUp();
    this.crosshair = null;
    this.#drawDraft();
  }

  // Tools ----------------------------------------------------------------------------------------

  #listenToTools() {
    for (const radio of document.getElementsByName("mode")) {
      radio.addEventListener("change", () => this.#begin(radio.value));
    }
    get("zoom-in").addEventListener("click", () => this.view.zoomBy(ZOOM_STEP));
    get("zoom-out").addEventListener("click", () => this.view.zoomBy(1 / ZOOM_STEP));
    get("zoom-fit").addEventListener("click", () => this.view.fit());
    get("overlay").addEventListener("change", () => this.#showLayer());
    get("opacity").addEventListener("input", () => {
      this.layer.opacity = get("opacity").value / 100;
    });
    get("give-focal").addEventListener("click", () => this.focal.open());
    this.layer.opacity = get("opacity").value / 100;
  }

  get #canMeasure() {
    return this.photo.info.focal_px !== null;
  }

  #begin(kind) {
    this.#draft.begin(kind);
    stage.dataset.mode = kind;
    if (!this.photo) return;
    const barred = kind === "distance" && !this.#canMeasure;
    get("hint").textContent = barred ? NO_DISTANCE : HINTS[kind];
    get("give-focal").hidden = !barred;
    this.#drawDraft();
  }

  async #showLayer() {
    const wanted = get("overlay").checked;
    get("opacity").disabled = !wanted;
    if (!wanted) this.layer.hide();
    const { photo } = this;
    if (!wanted || !photo) return;
    try {
      await this.layer.show(photo);
      if (!get("overlay").checked) this.layer.hide();
    } catch (error) {
      if (photo !== this.photo) return; // of one that is gone
      get("overlay").checked = false;
      get("opacity").disabled = true;
      tell(`No depth map: ${error.message}`, { failed: true });
    }
  }

  choose(item) {
    this.#chosen = item;
    this.#draw();
  }

  // What is seen and heard -----------------------------------------------------------------------

  #draw() {
    if (!this.photo) return;
    this.marks.place(this.view.onStage, this.size);
    const own = this.results.items.filter((item) => item.photo === this.photo);
    this.marks.draw(own, this.#chosen);
    this.#drawDraft();
  }

  #drawDraft(to = this.crosshair) {
    this.marks.drawDraft(this.#draft.figure(to), this.crosshair);
  }

  #showPlaceholder() {
    get("read-place").textContent = "Point at the photo";
    get("read-depth").textContent = "–";
    this.#showRange("–");
    get("read-error").textContent = "";
  }

  #showReading({ pixel, answer, error }) {
    get("read-error").textContent = error?.message ?? "";
    if (error) return;
    get("read-place").textContent = place(pixel);
    get("read-depth").textContent = metres(answer.depth_m);
    this.#showRange(metres(answer.range_m));
    if (String(pixel) === String(this.crosshair)) {
      clearTimeout(this.#speech);
      const words = `${place(pixel)}: ${metres(answer.depth_m)}`;
      this.#speech = setTimeout(() => say(words), SPOKEN_AFTER_MS);
    }
  }

  #showRange(words) {
    get("read-range").textContent = this.#canMeasure ? words : "needs the focal length";
    get("read-range").classList.toggle("missing", !this.#canMeasure);
  }

  #tellAnswer(item) {
    clearTimeout(this.#speech);
    const { main, more } = answerWords(item);
    say(`${item.kind} ${item.number}: ${[main, ...more].join(", ")}`);
    if (item.kind === "point" && item.answer && item.photo === this.photo) {
      this.#showReading({ pixel: item.places[0], answer: item.answer });
    }
  }

  async #tellModel() {
    try {
      const model = await this.service.json("GET", "model");
      this.#limits = model.limits;
      get("model").textContent = modelWords(model);
      get("worth").textContent = worthWords(model);
    } catch (error) {
      tell(error.message, { failed: true });
    }
  }
}

/** Whether the browser shows a photo the way up that the service reads it. */
async function shows(address, { width, height }) {
  const image = new Image();
  image.src = address;
  try {
    await image.decode();
  } catch {
    return false;
  }
  return Math.abs((image.naturalWidth * height) / (image.naturalHeight * width) - 1) < 0.01;
}

new Page();
