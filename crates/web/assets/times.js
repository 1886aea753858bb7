// Times in the reader's own zone and language; the page itself has them in UTC.
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function near(seconds) {
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return relative.format(Math.trunc(seconds / size), unit);
}

function localize() {
  for (const time of document.querySelectorAll("time[datetime]")) write(time);
}

function write(time) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const seconds = (at - Date.now()) / 1000;
  const close = time.hasAttribute("data-relative") && Math.abs(seconds) < 7 * 86400;
  const written = time.hasAttribute("data-day") ? day : full;
  time.textContent = close ? near(seconds) : written.format(at);
  time.title = exact.format(at);
}

localize();
document.addEventListener("times", localize);
