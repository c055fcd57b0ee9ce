// Asks the user for the service's token.

/** The token, or null if the user cancels; `refused`: the last one was wrong. */
export function askToken(refused) {
  const dialog = document.getElementById("token-dialog");
  const input = document.getElementById("token");
  document.getElementById("token-refused").hidden = !refused;
  input.value = "";
  input.setAttribute("aria-invalid", String(refused));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => {
      const token = input.value.trim();
      input.value = "";
      resolve(dialog.returnValue === "use" && token ? token : null);
    };
    dialog.addEventListener("close", closed, { once: true });
  });
}
