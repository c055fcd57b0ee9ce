// The page: connects the parts, takes in photos and handles the tools.

import { DepthLayer } from "./depth_layer.js";
import { listenToDownloads } from "./downloads.js";
import { FocalForm } from "./focal_form.js";
import { Photo } from "./photo.js";
import { listenForPhotos } from "./photo_input.js";
import { annotated } from "./picture.js";
import { LiveReading } from "./reading.js";
import { ReadingPanel } from "./reading_panel.js";
import { Results } from "./results.js";
import { Service } from "./service.js";
import { Stage } from "./stage.js";
import { say, settle, tell } from "./status.js";
import { answerWords, Table } from "./table.js";
import { askToken } from "./token_dialog.js";
import { listenToUndo } from "./undo.js";
import { listenToUnit } from "./units.js";
import { ZOOM_STEP } from "./view.js";
import { modelWords, worthWords } from "./words.js";

const NOT_SHOWN =
  "This browser cannot show this photo; its depth map is shown instead.";

const get = (id) => document.getElementById(id);

class Page {
  photo = null;
  #opening = null;
  #address = null;
  #limits = null;

  constructor() {
    this.service = new Service(askToken);
    this.results = new Results();
    this.panel = new ReadingPanel();
    this.layer = new DepthLayer();
    this.reading = new LiveReading((read) => {
      this.panel.show(read, String(read.pixel) === String(this.stage.crosshair));
    });
    this.stage = new Stage(this.results, this.reading);
    this.table = new Table(this.results, this.stage);
    this.focal = new FocalForm((focal) => this.#useFocal(focal));
    this.results.addEventListener("answer", ({ detail }) => this.#tellAnswer(detail));
    listenForPhotos(
      (file) => this.open(file),
      (words) => tell(words, { failed: true }),
    );
    listenToUndo(this.results, this.stage);
    listenToDownloads(this.results, () => this.#picture());
    listenToUnit(() => this.#retell());
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
      tell(photo.named(error), { failed: true, retry: error.mayPass && (() => this.open(file)) });
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
    [this.photo, this.#opening] = [photo, null];
    this.focal.opened();
    document.body.classList.add("open");
    get("name").textContent = `${photo.name}, ${photo.size.width} × ${photo.size.height} pixels`;
    get("image").hidden = !seen;
    this.stage.open(photo);
    if (!seen) {
      get("overlay").checked = true;
      get("opacity").value = 100;
      this.layer.opacity = 1;
    }
    tell(seen ? "" : NOT_SHOWN);
    this.#follow();
    const warned = get("warnings").innerText;
    say(`Photo ready, ${photo.size.width} by ${photo.size.height} pixels. ${warned}`);
  }

  /** Update everything that depends on the photo and its focal length. */
  #follow() {
    this.focal.tell(this.photo.info);
    this.reading.attach(this.photo);
    this.panel.begin(this.photo.info);
    this.stage.begin();
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

  // Tools ----------------------------------------------------------------------------------------

  #listenToTools() {
    for (const radio of document.getElementsByName("mode")) {
      radio.addEventListener("change", () => this.stage.begin(radio.value));
    }
    const { view } = this.stage;
    get("zoom-in").addEventListener("click", () => view.zoomBy(ZOOM_STEP));
    get("zoom-out").addEventListener("click", () => view.zoomBy(1 / ZOOM_STEP));
    get("zoom-fit").addEventListener("click", () => view.fit());
    get("overlay").addEventListener("change", () => this.#showLayer());
    get("opacity").addEventListener("input", () => {
      this.layer.opacity = get("opacity").value / 100;
    });
    get("give-focal").addEventListener("click", () => this.focal.open());
    this.layer.opacity = get("opacity").value / 100;
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
      else settle();
    } catch (error) {
      if (photo !== this.photo) return; // of one that is gone
      get("overlay").checked = false;
      get("opacity").disabled = true;
      tell(`No depth map: ${error.message}`, { failed: true });
    }
  }

  // What is seen and heard -----------------------------------------------------------------------

  async #picture() {
    const { photo, layer } = this;
    const own = this.results.items.filter((item) => item.photo === photo);
    const image = get("image");
    const map = { canvas: get("map"), opacity: get("opacity").value / 100, scale: layer.scale };
    return annotated(photo, own, image.hidden ? null : image, layer.scale && map);
  }

  /** Write all lengths in the unit in use. */
  #retell() {
    this.table.draw();
    this.stage.draw();
    this.panel.retell();
    this.layer.tell();
  }

  #tellAnswer(item) {
    this.panel.hush();
    const { main, more } = answerWords(item);
    say(`${item.kind} ${item.number}: ${[main, ...more].join(", ")}`);
    if (item.error) return;
    settle();
    if (item.kind === "point" && item.answer && item.photo === this.photo) {
      this.panel.show({ pixel: item.places[0], answer: item.answer });
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
