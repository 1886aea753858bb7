// Comfort in forms: groups that tick their entries, search in the event picker, an example of what was ticked, one more row
// of headers, fields that belong to one choice. Without it every box and row is there to be used by hand.
document.documentElement.classList.add("scripted");

for (const group of document.querySelectorAll("[data-group]")) {
  const all = group.querySelector("input[data-all]");
  const each = [...group.querySelectorAll("input[data-each]")];
  if (!all) continue;
  // What each was before the whole group was ticked: given back when that is taken back.
  let own = null;
  const follow = () => {
    if (all.checked && !own) {
      own = each.map((box) => box.checked);
      for (const box of each) box.checked = box.disabled = true;
    } else if (!all.checked && own) {
      for (const [index, box] of each.entries()) [box.checked, box.disabled] = [own[index], false];
      own = null;
    }
    all.indeterminate = !all.checked && each.some((box) => box.checked);
  };
  group.addEventListener("change", follow);
  follow();
}

const search = document.querySelector("input[data-search]");
const everything = document.querySelectorAll("input[name='which_events']");
const picker = document.querySelector("[data-picker]");
if (everything.length && picker) {
  // Keybell's own events are not among all of the platform's, and can be wanted beside them.
  const follow = () => {
    const these = document.querySelector("input[name='which_events']:checked")?.value === "these";
    for (const part of picker.children) part.hidden = !these && !part.matches("[data-own]");
    if (these && search?.value) search.dispatchEvent(new Event("input"));
    // What was searched for is hidden with its field, so it leaves out none of those that are still there.
    if (!these) for (const pick of picker.querySelectorAll("[data-own] [data-words]")) pick.hidden = false;
  };
  for (const choice of everything) choice.addEventListener("change", follow);
  follow();
}

if (search) {
  const said = document.getElementById("said");
  const none = document.querySelector("[data-none-fits]");
  // Enter in a field sends its form, and whoever searches has not finished theirs.
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const group of document.querySelectorAll("[data-group]")) {
      let any = false;
      for (const pick of group.querySelectorAll("[data-words]")) {
        const fits = pick.dataset.words.toLowerCase().includes(wanted);
        pick.hidden = !fits;
        if (fits) { any = true; shown += 1; }
      }
      group.hidden = !any;
    }
    none.hidden = shown > 0;
    if (said) said.textContent = `${shown} event types match`;
  });
}

const rows = document.querySelector("[data-rows]");
const more = document.querySelector("button[data-add-row]");
if (rows && more) {
  const empty = (row) => [...row.querySelectorAll("input:not([type='checkbox'])")].every((input) => !input.value);
  const hidden = [...rows.children].filter((row, index) => index > 0 && empty(row) && !row.querySelector("[aria-invalid]"));
  for (const row of hidden) row.hidden = true;
  more.hidden = hidden.length === 0;
  more.addEventListener("click", () => {
    const row = hidden.shift();
    if (!row) return;
    row.hidden = false;
    row.querySelector("input").focus();
    more.hidden = hidden.length === 0;
  });
}

for (const select of document.querySelectorAll("select[data-reveals]")) {
  const [value, id] = select.dataset.reveals.split(":");
  const part = document.getElementById(id);
  const follow = () => { part.hidden = select.value !== value; };
  select.addEventListener("change", follow);
  follow();
}

for (const select of document.querySelectorAll("select[data-examples]")) {
  const follow = () => {
    for (const example of document.querySelectorAll("[data-example]")) example.hidden = example.dataset.example !== select.value;
  };
  select.addEventListener("change", follow);
  follow();
}

// The example is of the event that was ticked last. One that cannot be had leaves the one that is there.
const examples = document.querySelector("[data-example-from]");
if (examples) {
  let asked = 0;
  const show = async (events) => {
    const mine = asked += 1;
    const query = new URLSearchParams(events.map((event) => ["events", event]));
    const answer = await fetch(`${examples.dataset.exampleFrom}?${query}`).catch(() => null);
    if (!answer?.ok || !answer.headers.get("content-type")?.startsWith("application/json")) return;
    const { event_type, bodies } = await answer.json();
    if (mine !== asked) return;
    for (const example of document.querySelectorAll("[data-example]")) {
      example.querySelector("[data-example-of]").textContent = event_type;
      example.querySelector("pre code").textContent = bodies[example.dataset.example];
    }
  };
  examples.addEventListener("change", ({ target }) => {
    if (target.name !== "events") return;
    const ticked = [...examples.querySelectorAll("input[name='events']:checked:enabled")].map((box) => box.value);
    show(target.checked ? [target.value, ...ticked] : ticked);
  });
}

for (const form of document.querySelectorAll("form[method='post']")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
