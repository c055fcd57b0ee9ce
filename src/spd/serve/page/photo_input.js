// Input of photos: chosen, taken with a camera, dropped, pasted.

/** Calls `take(file)` with a photo, or `refuse(words)` for other things. */
export function listenForPhotos(take, refuse) {
  for (const input of document.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      if (input.files.length) take(input.files[0]);
      input.value = ""; // so that the same file may be chosen again
    });
  }

  const came = (transfer) => {
    const [file] = transfer.files;
    if (file) take(file);
    else refuse("This is not a photo. Drop or paste an image file.");
  };

  document.addEventListener("paste", (event) => {
    if (event.target.closest?.("input") && !event.clipboardData.files.length) return;
    event.preventDefault();
    came(event.clipboardData);
  });

  const over = (on) => document.body.classList.toggle("dropping", on);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    came(event.dataTransfer);
  });
}
