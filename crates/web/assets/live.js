// Live: the first part of the list of deliveries is told what changes, while the switch is on. The browser itself comes back
// after the server was away. Rows are made from the page's own template; nothing that is told becomes markup.
const live = document.querySelector("[data-live]");

// As many rows has a page of the list.
const PAGE_ROWS = 50;
// More rows than these nobody reads at once; older ones are on the next page.
const ROWS_MAX = 200;
// Behind a proxy, a server that is away is a refusal: it is tried again so often, and so long after.
const TRIES_MAX = 20;
const TRY_AFTER = 5000;
// A screen reader is told what came together, not each by itself.
const SAY_AFTER = 3000;

if (live) {
  const toggle = live.querySelector("button");
  const state = live.querySelector("[data-live-state]");
  const body = document.querySelector("table[data-deliveries] tbody");
  const model = document.getElementById("delivery-row");
  let source = null;
  let came = 0;
  let saying = null;
  let tries = 0;
  let again = null;

  const say = (text) => { state.textContent = text; };

  const count = () => {
    came += 1;
    saying ??= setTimeout(() => {
      say(`${came} new`);
      saying = null;
    }, SAY_AFTER);
  };

  const fill = (row, told) => {
    const put = (name, text) => { row.querySelector(`[data-put="${name}"]`).textContent = text; };
    const link = row.querySelector("[data-put='link']");
    put("event_type", told.event_type);
    put("id", told.id);
    if (told.href) link.href = told.href;
    else link.removeAttribute("href");
    put("webhook", told.webhook);
    const badge = row.querySelector(".badge");
    badge.className = `badge ${told.tone}`;
    put("mark", told.mark);
    put("status", told.status);
    put("note", told.next ? "next " : told.waits ? "waits at its webhook" : "");
    put("answer", told.answer);
    put("attempts", told.attempts);
    put("took", told.took);
    row.querySelector("[data-when]").dateTime = told.at;
    const next = row.querySelector("[data-next]");
    if (told.next) next.dateTime = told.next;
    else next.remove();
    const tick = row.querySelector("input[type='checkbox']");
    if (tick) {
      tick.hidden = !told.may_resend;
      tick.disabled = !told.may_resend;
      tick.value = told.id;
      tick.setAttribute("aria-label", `Resend ${told.event_type}, delivery ${told.id}`);
    }
    document.dispatchEvent(new CustomEvent("times"));
  };

  const delivery = (event) => {
    const told = JSON.parse(event.data);
    const there = body.querySelector(`tr[data-id="${CSS.escape(told.id)}"]`);
    // Ids are in the order of time. What belongs below the last row is on another page.
    const below = [...body.children].find((other) => other.dataset.id < told.id);
    if (!there && !below && body.children.length >= PAGE_ROWS) return;
    const row = model.content.firstElementChild.cloneNode(true);
    row.dataset.id = told.id;
    // Whoever reads the row keeps their place in it.
    const focused = there?.contains(document.activeElement) && document.activeElement.tagName;
    const ticked = there?.querySelector("input:checked");
    if (there) there.replaceWith(row);
    else body.insertBefore(row, below ?? null);
    fill(row, told);
    if (ticked && told.may_resend) row.querySelector("input[type='checkbox']").checked = true;
    if (focused) row.querySelector(focused === "INPUT" ? "input" : "a[href]")?.focus();
    if (!there) {
      count();
      document.querySelector("[data-empty]")?.remove();
      document.querySelector("[data-list]").hidden = false;
      const rest = [...body.children].slice(ROWS_MAX);
      for (const old of rest) if (!old.matches(":focus-within, :has(:checked)")) old.remove();
    }
  };

  const stop = (text) => {
    source?.close();
    source = null;
    clearTimeout(saying);
    clearTimeout(again);
    saying = again = null;
    toggle.setAttribute("aria-checked", "false");
    say(text);
  };

  const start = () => {
    source?.close();
    clearTimeout(again);
    source = new EventSource(live.dataset.live);
    toggle.setAttribute("aria-checked", "true");
    say("Connecting …");
    source.addEventListener("open", () => {
      tries = 0;
      say(came ? `${came} new` : "Waiting for deliveries");
    });
    source.addEventListener("delivery", delivery);
    source.addEventListener("gone", (event) => body.querySelector(`tr[data-id="${CSS.escape(event.data)}"]`)?.remove());
    source.addEventListener("over", () => stop("You are signed out. Load the page again."));
    source.addEventListener("error", () => {
      if (!source) return;
      // Closed for good: refused, not only away.
      const closed = source.readyState === EventSource.CLOSED;
      if (closed && tries >= TRIES_MAX) return stop("Live is not available now. Try again later.");
      say("The server is away. Trying again …");
      if (closed) {
        tries += 1;
        again = setTimeout(start, TRY_AFTER);
      }
    });
  };

  live.hidden = false;
  toggle.addEventListener("click", () => {
    if (source) return stop("Paused");
    came = tries = 0;
    start();
  });
  // Nobody looks at a page that is hidden, and a browser opens few connections to one server.
  document.addEventListener("visibilitychange", () => {
    if (!source) return;
    if (document.hidden) source.close();
    else if (source.readyState === EventSource.CLOSED) start();
  });
}
