// The results as files and on the clipboard.

import { csvOf } from "./csv.js";
import { jsonOf } from "./results_json.js";
import { say, tell } from "./status.js";

const BUTTONS = ["copy", "download", "download-json", "download-picture"];

/** Connect the buttons; `picture()` makes a blob of the photo with its marks. */
export function listenToDownloads(results, picture) {
  const button = (id, act) => document.getElementById(id).addEventListener("click", act);
  button("download", () => save(csvOf(results.items), "text/csv", "spd.csv"));
  button("download-json", () => save(jsonOf(results.items), "application/json", "spd.json"));
  button("download-picture", async () => {
    try {
      save(await picture(), "image/png", "spd.png");
    } catch (error) {
      tell(`No picture: ${error.message}`, { failed: true });
    }
  });
  button("copy", () => copy(csvOf(results.items)));
  const enable = () => {
    for (const id of BUTTONS) document.getElementById(id).disabled = !results.items.length;
  };
  results.addEventListener("change", enable);
  enable();
}

function save(content, type, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied as CSV.");
  } catch {
    // Browsers offer the clipboard only to pages from https or from this machine.
    say("The browser does not let this page use the clipboard; use Download CSV instead.");
  }
}
