// Copy buttons. `data-copy` names the element whose value or text is copied; it works on plain HTTP as well, where there
// is no clipboard interface, by selecting and the old command.
const said = document.getElementById("said");

async function copyText(source) {
  const text = "value" in source ? source.value : source.textContent;
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused by the browser: the older way may still work.
    }
  }
  if ("select" in source) {
    source.focus();
    source.select();
  } else {
    getSelection().selectAllChildren(source);
  }
  return document.execCommand("copy");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const done = await copyText(document.getElementById(button.dataset.copy));
  const label = button.querySelector("[data-label]") ?? button;
  const before = label.dataset.before ?? label.textContent;
  label.dataset.before = before;
  label.textContent = done ? "Copied" : "Press Ctrl+C";
  if (said) said.textContent = done ? "Copied" : "Selected. Press Control and C to copy.";
  setTimeout(() => {
    label.textContent = before;
    if (said) said.textContent = "";
  }, 2000);
});

for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
