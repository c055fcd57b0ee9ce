// Undo and redo, by buttons and by the usual keys.

import { say } from "./status.js";

/** `stage.back()` takes back a point of an unfinished query, which comes first. */
export function listenToUndo(results, stage) {
  const [undo, redo] = ["undo", "redo"].map((id) => document.getElementById(id));

  const back = () => say(stage.back() || results.undo() ? "Undone." : "Nothing to undo.");
  const again = () => say(results.redo() ? "Redone." : "Nothing to redo.");
  // Not `disabled`, which would lose the keyboard's place.
  const enable = () => {
    undo.setAttribute("aria-disabled", String(!stage.drawing && !results.canUndo));
    redo.setAttribute("aria-disabled", String(!results.canRedo));
  };

  undo.addEventListener("click", back);
  redo.addEventListener("click", again);
  results.addEventListener("change", enable);
  stage.addEventListener("draft", enable);
  enable();
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || typing(event.target)) return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) back();
    else if (key === "z" || (key === "y" && event.ctrlKey)) again();
    else return;
    event.preventDefault();
  });
}

/** Whether the keys belong to a field of text. */
function typing(element) {
  const others = "[type=radio], [type=checkbox], [type=range], [type=file]";
  return element.matches?.(`input:not(${others}), dialog *`);
}
