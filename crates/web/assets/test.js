// Send test: the outcome arrives by server-sent events, as an answer to the form, so that the page says at once that the
// request is under way. Nothing that is told becomes markup. Without it the form is sent like any other.
const test = document.querySelector("form[data-test]");

if (test) {
  const state = document.querySelector("[data-test-state]");
  const place = document.querySelector("[data-tested]");
  const button = test.querySelector("button[type='submit']");
  let sending = false;

  const say = (tone, text) => {
    state.className = `note ${tone}`;
    state.textContent = text;
    state.hidden = false;
  };

  const copy = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

  const put = (part, name, text) => {
    for (const here of part.querySelectorAll(`[data-put="${name}"]`)) {
      if (text) here.textContent = text;
      else here.remove();
    }
  };

  // Leaves out what the page's own view of an attempt leaves out too.
  const keep = (part, name, is) => {
    if (!is) part.querySelector(`[data-${name}]`).remove();
  };

  const message = (told, whose) => {
    const part = copy("tested-message");
    part.querySelector("[role='region']").setAttribute("aria-label", `Headers of the ${whose}`);
    for (const pair of told.headers) {
      const row = document.createElement("tr");
      for (const [index, text] of pair.entries()) {
        const cell = document.createElement(index === 0 ? "th" : "td");
        if (index === 0) cell.scope = "row";
        const code = document.createElement("code");
        code.textContent = text;
        cell.append(code);
        row.append(cell);
      }
      part.querySelector("tbody").append(row);
    }
    put(part, "whose", whose);
    for (const button of part.querySelectorAll("[data-copy-of]")) {
      const name = button.dataset.copyOf;
      button.dataset.copy = part.querySelector(`[data-put="${name}"]`).id = `${whose}-1-${name}`;
    }
    put(part, "body", told.body);
    put(part, "raw", told.raw);
    keep(part, "raw", told.raw);
    keep(part, "headers", told.headers.length > 0);
    keep(part, "body", told.body);
    keep(part, "empty", !told.body);
    keep(part, "truncated", told.truncated);
    return part;
  };

  const heard = {
    sending: () => say("", "The request is under way …"),
    refused: (told) => say("bad", told),
    outcome: (told) => {
      say(told.well ? "good" : "bad", told.said);
      const attempt = copy("tested-attempt");
      for (const name of ["outcome", "error", "timings", "url", "curl"]) put(attempt, name, told[name]);
      attempt.querySelector("[data-when]").dateTime = told.started;
      keep(attempt, "curl", told.curl);
      for (const whose of ["answer", "request"]) {
        const part = attempt.querySelector(`[data-message="${whose}"]`);
        if (told[whose]) part.append(message(told[whose], whose));
        else part.remove();
      }
      for (const copies of attempt.querySelectorAll("[data-copy]")) copies.hidden = false;
      place.replaceChildren(attempt);
      document.dispatchEvent(new CustomEvent("times"));
    },
  };

  // One event: its name, and its data, which is JSON except for the first, which has nothing to say.
  const hear = (event) => {
    const lines = event.split("\n");
    const field = (name) => lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2)).join("\n");
    const name = field("event");
    if (!Object.hasOwn(heard, name)) return false;
    heard[name](name === "sending" ? null : JSON.parse(field("data")));
    return name !== "sending";
  };

  const send = async () => {
    const answer = await fetch(test.action, {
      method: "POST",
      headers: { accept: "text/event-stream" },
      body: new URLSearchParams(new FormData(test)),
    });
    if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) return false;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const event of events) if (hear(event)) return true;
    }
  };

  test.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    // Not disabled: whoever pressed it by keyboard keeps their place.
    sending = true;
    button.setAttribute("aria-disabled", "true");
    place.replaceChildren();
    say("", "Sending …");
    const lost = "What came of the test is not known: the connection was lost, or you are signed out. Load the page again.";
    try {
      if (!await send()) say("bad", lost);
    } catch {
      say("bad", lost);
    }
    button.removeAttribute("aria-disabled");
    button.querySelector("[data-label]").textContent = "Send another test";
    sending = false;
    delete test.dataset.sent;
  });
}
