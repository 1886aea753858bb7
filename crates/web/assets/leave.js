// The page that shows a secret once: Done only after "I have saved it", and leaving otherwise asks.
const saved = document.querySelector("input[data-saved]");
if (saved) {
  const ask = (event) => event.preventDefault();
  window.addEventListener("beforeunload", ask);
  saved.form.addEventListener("submit", () => window.removeEventListener("beforeunload", ask));
}
const download = document.querySelector("button[data-download]");
if (download) {
  download.hidden = false;
  download.addEventListener("click", () => {
    const source = document.getElementById(download.dataset.download);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${download.dataset.variable}=${source.value}\n`], { type: "text/plain" }));
    link.download = ".env";
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
