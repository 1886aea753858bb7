// Times in the reader's own zone and language; the page itself has them in UTC.
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

// What a time is cut down to, by the name of its attribute.
const clock = { hour: "2-digit", minute: "2-digit" };
const shapes = {
  day: new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }),
  hour: new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", ...clock }),
  clock: new Intl.DateTimeFormat(undefined, clock),
  utcDay: new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" }),
};

function near(seconds) {
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return relative.format(Math.trunc(seconds / size), unit);
}

// How often what is told by how long ago it was is told anew: it is then wrong by less than the minutes it is told in after
// the first, and a page that is left open is not kept busy.
const ANEW_EVERY_MS = 30_000;

function localize() {
  for (const time of document.querySelectorAll("time[datetime]")) write(time);
}

function write(time) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const seconds = (at - Date.now()) / 1000;
  const close = time.hasAttribute("data-relative") && Math.abs(seconds) < 7 * 86400;
  const shape = Object.keys(shapes).find((name) => name in time.dataset);
  const told = close ? near(seconds) : (shapes[shape] ?? full).format(at);
  // What stays as it is keeps what somebody has marked in it.
  if (time.textContent !== told) time.textContent = told;
  if (shape !== "utcDay") time.title = exact.format(at);
}

// What is told where the pointer rests on a chart begins with its time.
for (const title of document.querySelectorAll("svg title[data-at]")) {
  const told = title.textContent.slice(title.textContent.indexOf(": "));
  title.textContent = shapes.hour.format(new Date(title.dataset.at)) + told;
}

// A page that nobody sees is left as it is, until somebody does.
function tellAnew() {
  if (document.visibilityState !== "visible") return;
  for (const time of document.querySelectorAll("time[datetime][data-relative]")) write(time);
}

localize();
document.addEventListener("times", localize);
document.addEventListener("visibilitychange", tellAnew);
setInterval(tellAnew, ANEW_EVERY_MS);
